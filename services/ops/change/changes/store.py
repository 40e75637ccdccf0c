"""What the rules of a change need to know of other rows."""

import asyncpg

from kit.resources.kind import Row
from kit.resources.store import ResourceStore
from kit.unit_of_work import UnitOfWork

# An implementation that has begun early or runs late holds its assets for as long as that.
_IN_THE_WAY = """
SELECT number, planned_start, planned_end FROM changes
WHERE workspace_id = $1 AND id <> $2 AND status IN ('scheduled', 'implementing') AND deleted_at IS NULL
    AND asset_ids && $3::uuid[]
    AND least(planned_start, actual_start) < $5
    AND CASE WHEN status = 'implementing' THEN greatest(planned_end, $6) ELSE planned_end END > $4
ORDER BY planned_start, id LIMIT 1
"""


class ChangeStore(ResourceStore):
    """Changes, and what they touch."""

    async def holds_published_runbook(self, work: UnitOfWork, runbook_id: str) -> bool:
        """Whether the runbook is published, and stays so until the unit of work ends."""
        found = await work.fetchval(
            "SELECT status = 'published' FROM runbooks WHERE workspace_id = $1 AND id = $2 FOR SHARE",
            work.call.workspace_id,
            runbook_id,
        )
        return bool(found)

    async def hold_assets(self, work: UnitOfWork, asset_ids: list[str]) -> None:
        """Let nobody else plan for these assets until the unit of work ends."""
        await work.fetch(
            "SELECT id FROM assets WHERE workspace_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE",
            work.call.workspace_id,
            asset_ids,
        )

    async def in_the_way(self, work: UnitOfWork, change: Row) -> asyncpg.Record | None:
        """The first change that holds one of the same assets in the window of this one: number, planned_start and
        planned_end."""
        return await work.fetchrow(
            _IN_THE_WAY,
            work.call.workspace_id,
            change["id"],
            change["asset_ids"],
            change["planned_start"],
            change["planned_end"],
            work.now,
        )
