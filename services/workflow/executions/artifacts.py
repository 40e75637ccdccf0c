"""Artifacts: inputs, outputs and evidence, kept once for each content and never changed."""

import json
from typing import Any

from kit.database import Session
from kit.unit_of_work import UnitOfWork
from services.workflow import json_values

MOST_BYTES = 1024 * 1024
MEDIA_TYPE = "application/json"
_KEEP = """
INSERT INTO artifacts (workspace_id, digest, media_type, data, created_at)
SELECT $1, artifact.digest, $4, artifact.data, $5 FROM unnest($2::text[], $3::bytea[]) AS artifact (digest, data)
ORDER BY artifact.digest ON CONFLICT DO NOTHING
"""
_GET = "SELECT media_type, data FROM artifacts WHERE workspace_id = $1 AND digest = $2"


async def keep(work: UnitOfWork, *contents: bytes) -> list[str]:
    """Keep canonical JSON, what is not there yet. Returns the digest of each, which is its reference."""
    assert all(len(data) <= MOST_BYTES for data in contents)
    refs = [json_values.digest(data) for data in contents]
    if contents:
        await work.execute(_KEEP, work.call.workspace_id, refs, contents, MEDIA_TYPE, work.now)
    return refs


async def get(session: Session, ref: str) -> tuple[str, bytes] | None:
    """Media type and content of an artifact of the caller's workspace."""
    row = await session.fetchrow(_GET, session.call.workspace_id, ref)
    return (row["media_type"], row["data"]) if row else None


async def load(session: Session, ref: str) -> dict[str, Any]:
    """The object in an artifact that is known to be there."""
    found = await get(session, ref)
    assert found is not None
    value: dict[str, Any] = json.loads(found[1])
    return value
