"""The SQL of external ids: which resource was made of a row, by the id that the row has where it comes from."""

from collections.abc import Mapping, Sequence

from kit.unit_of_work import UnitOfWork

Known = dict[str, dict[str, str]]

_FIND = """
SELECT external_id, resource_id FROM external_ids WHERE workspace_id = $1 AND kind = $2 AND external_id = ANY($3)
"""
_ADD = """
INSERT INTO external_ids (workspace_id, kind, external_id, resource_id, job_id, created_at)
SELECT $1, $2, made.external_id, made.resource_id, $5, $6
FROM unnest($3::text[], $4::uuid[]) AS made (external_id, resource_id)
ON CONFLICT (workspace_id, kind, external_id) DO NOTHING
"""


async def find(work: UnitOfWork, wanted: Mapping[str, set[str]]) -> Known:
    """The resources' ids, by kind and external id, of those that are known."""
    known: Known = {}
    for kind, external_ids in wanted.items():
        rows = await work.fetch(_FIND, work.call.workspace_id, kind, sorted(external_ids))
        known[kind] = {row["external_id"]: row["resource_id"] for row in rows}
    return known


async def add(work: UnitOfWork, kind: str, made: Sequence[tuple[str, str]], *, job_id: str) -> None:
    """Pairs of an external id and the resource that was made for it."""
    if made:
        names, resources = zip(*made, strict=True)
        await work.execute(_ADD, work.call.workspace_id, kind, names, resources, job_id, work.now)
