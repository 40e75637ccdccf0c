"""The versions of settings, each whole, in the workspace of the session (`_platform` for the platform's own)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from kit.database import Session
from kit.unit_of_work import UnitOfWork

_COLUMNS = "version, settings, changed_at, changed_by"
_CURRENT = f"SELECT {_COLUMNS} FROM setting_versions WHERE workspace_id = $1 ORDER BY version DESC LIMIT 1"
_VERSION = f"SELECT {_COLUMNS} FROM setting_versions WHERE workspace_id = $1 AND version = $2"
# Changes of one workspace take turns, the first included, which has no row to lock.
_TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_ADD = """
INSERT INTO setting_versions (workspace_id, version, settings, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5)
"""

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Version(Generic[M]):
    """What was set, and when by whom; version 0 is what holds before anyone did."""

    settings: M
    number: int = 0
    changed_at: datetime | None = None
    changed_by: str | None = None


async def current(session: Session, message: type[M]) -> Version[M]:
    """The version that holds."""
    return _version(await session.fetchrow(_CURRENT, session.call.workspace_id), message)


async def version(session: Session, message: type[M], number: int) -> Version[M] | None:
    """An earlier version, or None when there was no such."""
    if number == 0:
        return Version(message())
    row = await session.fetchrow(_VERSION, session.call.workspace_id, number)
    return _version(row, message) if row else None


async def lock(work: UnitOfWork) -> None:
    """Held against other changes of this workspace's settings until the end of the unit of work."""
    await work.execute(_TAKE_TURN, f"settings/{work.call.workspace_id}")


async def add(work: UnitOfWork, settings: M, number: int) -> Version[M]:
    """Make `settings` the version that holds."""
    by = work.call.principal.subject
    values = json_format.MessageToDict(settings, preserving_proto_field_name=True)
    await work.execute(_ADD, work.call.workspace_id, number, values, work.now, by)
    return Version(settings, number, work.now, by)


def _version(row: Any, message: type[M]) -> Version[M]:
    if row is None:
        return Version(message())
    # A setting that the contract no longer has is passed over.
    settings = json_format.ParseDict(row["settings"], message(), ignore_unknown_fields=True)
    return Version(settings, row["version"], row["changed_at"], row["changed_by"])
