"""The SQL of uploads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kit.database import Session
from kit.unit_of_work import UnitOfWork

Row = dict[str, Any]

_COLUMNS = "id, size, created_at, created_by, used"
_ADD = f"""
INSERT INTO uploads (workspace_id, id, size, created_at, created_by, extended_at)
VALUES ($1, $2, 0, $3, $4, $3) RETURNING {_COLUMNS}
"""
_GET = f"SELECT {_COLUMNS} FROM uploads WHERE workspace_id = $1 AND id = $2"
_LOCK = f"{_GET} FOR UPDATE"
_EXTEND = f"""
UPDATE uploads SET size = size + $3, extended_at = $4 WHERE workspace_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""
_ADD_PART = """
INSERT INTO upload_parts (workspace_id, upload_id, start, size, digest, path) VALUES ($1, $2, $3, $4, $5, $6)
"""
_PART_DIGEST = "SELECT digest FROM upload_parts WHERE workspace_id = $1 AND upload_id = $2 AND start = $3"
_PARTS = "SELECT start, size, path FROM upload_parts WHERE workspace_id = $1 AND upload_id = $2 ORDER BY start"
_USE = "UPDATE uploads SET used = true, extended_at = $3 WHERE workspace_id = $1 AND id = $2"
_OLDEST_UNUSED = """
SELECT id FROM uploads WHERE workspace_id = $1 AND NOT used AND extended_at <= $2
ORDER BY extended_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
# An import that begins meanwhile changes the row, which is then looked at again.
_NEEDLESS = """
used AND extended_at <= {before} AND NOT EXISTS (
    SELECT FROM jobs WHERE jobs.workspace_id = uploads.workspace_id AND jobs.upload_id = uploads.id
    AND jobs.files_removed_at IS NULL
)
"""
_OLDEST_NEEDLESS = f"""
SELECT id FROM uploads WHERE workspace_id = $1 AND {_NEEDLESS.format(before="$2")}
ORDER BY extended_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
# Of all workspaces, as the relay's role: those with uploads that nothing was added to for a day before $1, and those
# with uploads that were needed last so many `days` before.
DUE_UNUSED = """
SELECT DISTINCT workspace_id FROM uploads WHERE NOT used AND extended_at <= $1::timestamptz - interval '1 day'
"""
DUE_USED = "SELECT DISTINCT workspace_id FROM uploads WHERE " + _NEEDLESS.format(
    before="$1::timestamptz - make_interval(days => {days})"
)
_DELETE = "DELETE FROM uploads WHERE workspace_id = $1 AND id = $2"


@dataclass(frozen=True)
class Part:
    """`start`: its place in the upload, in bytes; `path`: where it lies."""

    start: int
    size: int
    path: str


async def add(work: UnitOfWork, upload_id: str) -> Row:
    """A new one, empty as yet."""
    call = work.call
    row = await work.fetchrow(_ADD, call.workspace_id, upload_id, work.now, call.principal.subject)
    assert row is not None
    return dict(row)


async def get(session: Session, upload_id: str) -> Row | None:
    row = await session.fetchrow(_GET, session.call.workspace_id, upload_id)
    return dict(row) if row else None


async def lock(work: UnitOfWork, upload_id: str) -> Row | None:
    row = await work.fetchrow(_LOCK, work.call.workspace_id, upload_id)
    return dict(row) if row else None


async def add_part(work: UnitOfWork, upload_id: str, part: Part, digest: str) -> Row:
    """The upload with the part. It is locked, and ends where the part begins."""
    workspace_id = work.call.workspace_id
    await work.execute(_ADD_PART, workspace_id, upload_id, part.start, part.size, digest, part.path)
    row = await work.fetchrow(_EXTEND, workspace_id, upload_id, part.size, work.now)
    assert row is not None
    return dict(row)


async def part_digest(session: Session, upload_id: str, start: int) -> str | None:
    """Of the part that begins there."""
    found: str | None = await session.fetchval(_PART_DIGEST, session.call.workspace_id, upload_id, start)
    return found


async def parts(session: Session, upload_id: str) -> list[Part]:
    """In order."""
    return [Part(**row) for row in await session.fetch(_PARTS, session.call.workspace_id, upload_id)]


async def use(work: UnitOfWork, upload_id: str) -> None:
    """An import reads it from now on."""
    await work.execute(_USE, work.call.workspace_id, upload_id, work.now)


async def lock_oldest_unused(work: UnitOfWork, before: datetime) -> str | None:
    """One that no import uses and that has got nothing since then."""
    found: str | None = await work.fetchval(_OLDEST_UNUSED, work.call.workspace_id, before)
    return found


async def lock_oldest_needless(work: UnitOfWork, before: datetime) -> str | None:
    """One that was used, the last time before then, and whose jobs have no files any more."""
    found: str | None = await work.fetchval(_OLDEST_NEEDLESS, work.call.workspace_id, before)
    return found


async def delete(work: UnitOfWork, upload_id: str) -> None:
    await work.execute(_DELETE, work.call.workspace_id, upload_id)
