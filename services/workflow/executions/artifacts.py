"""Artifacts: inputs, outputs and evidence, kept once for each content and never changed."""

import json
from typing import Any

from kit.database import Session
from kit.unit_of_work import UnitOfWork
from services.workflow import json_values

MOST_BYTES = 1024 * 1024
MEDIA_TYPE = "application/json"
_KEEP = """
INSERT INTO artifacts (workspace_id, digest, media_type, data, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""
_GET = "SELECT media_type, data FROM artifacts WHERE workspace_id = $1 AND digest = $2"


async def keep(work: UnitOfWork, data: bytes) -> str:
    """Keep canonical JSON, if it is not there yet. Returns its digest, which is its reference."""
    assert len(data) <= MOST_BYTES
    ref = json_values.digest(data)
    await work.execute(_KEEP, work.call.workspace_id, ref, MEDIA_TYPE, data, work.now)
    return ref


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
