"""The rows of secrets. Everything in them is encrypted, hashed with a key, or no secret."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from kit.database import Session
from kit.paging import Listing, like_pattern
from kit.unit_of_work import UnitOfWork
from services.platform.secrets.key_encryption import Wrapped
from services.platform.secrets.keys import SecretKey

_TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_ADD_DATA_KEY = "INSERT INTO data_keys (workspace_id, id, kek_id, wrapped, created_at) VALUES ($1, $2, $3, $4, $5)"
_FINGERPRINT_KEY = """
SELECT id, kek_id, wrapped FROM data_keys
WHERE workspace_id = $1 AND id = (SELECT data_key_id FROM fingerprint_keys WHERE workspace_id = $1)
"""
_PUT = """
INSERT INTO secrets (workspace_id, key, version, fingerprint, created_at, rotated_at, rotated_by)
VALUES ($1, $2, $3, $4, $5, $5, $6)
ON CONFLICT (workspace_id, key) DO UPDATE SET
    version = excluded.version, fingerprint = excluded.fingerprint,
    rotated_at = excluded.rotated_at, rotated_by = excluded.rotated_by
RETURNING *
"""
_ADD_VERSION = """
INSERT INTO secret_versions (workspace_id, key, version, data_key_id, ciphertext, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
# With its data key a value is gone for good; the version before the last is kept for a while (handlers.py).
_FORGET = """
DELETE FROM data_keys WHERE workspace_id = $1 AND id IN (
    SELECT data_key_id FROM secret_versions WHERE workspace_id = $1 AND key = $2 AND version < $3
)
"""
_VALUES = """
SELECT each.version, each.ciphertext, data_key.id, data_key.kek_id, data_key.wrapped
FROM secret_versions AS each
JOIN data_keys AS data_key ON data_key.workspace_id = each.workspace_id AND data_key.id = each.data_key_id
WHERE each.workspace_id = $1 AND each.key = $2 AND each.version = ANY($3::bigint[])
ORDER BY each.version DESC
"""
_USED = """
UPDATE secrets SET last_used_at = $3, last_used_by = $4 WHERE workspace_id = $1 AND key = $2 RETURNING *
"""
# Those that can be set, whether they are or not, and those of a family that are.
_LISTED = """
SELECT coalesce(secret.key, known.key) AS key, coalesce(secret.version, 0) AS version, secret.fingerprint,
    secret.created_at, secret.rotated_at, secret.rotated_by, secret.last_used_at, secret.last_used_by
FROM (SELECT * FROM secrets WHERE workspace_id = $1) AS secret
FULL JOIN unnest($2::text[], $3::text[]) AS known (key, description) ON known.key = secret.key
WHERE $4::text IS NULL OR lower(concat_ws(' ', secret.key, known.key, known.description)) LIKE $4
"""


@dataclass(frozen=True)
class DataKey:
    id: str
    wrapped: Wrapped


@dataclass(frozen=True)
class Sealed:
    """One version of a secret as it is kept."""

    version: int
    data_key: DataKey
    ciphertext: bytes


async def lock(work: UnitOfWork) -> None:
    """Held against other changes of this workspace's secrets until the end of the unit of work."""
    await work.execute(_TAKE_TURN, f"secrets/{work.call.workspace_id}")


async def get(session: Session, key: str) -> asyncpg.Record | None:
    return await session.fetchrow(
        "SELECT * FROM secrets WHERE workspace_id = $1 AND key = $2", session.call.workspace_id, key
    )


async def page(session: Session, listing: Listing, known: Sequence[SecretKey]) -> tuple[list[asyncpg.Record], int]:
    """A page of secrets, and how many match in all."""
    arguments: list[Any] = [
        session.call.workspace_id,
        [each.name for each in known],
        [each.description for each in known],
        like_pattern(listing.q) if listing.q else None,
    ]
    rows = await session.fetch(
        f"{_LISTED} ORDER BY {listing.sort_by} {listing.direction} NULLS LAST, key "
        f"LIMIT {listing.limit} OFFSET {listing.offset}",
        *arguments,
    )
    return rows, await session.fetchval(f"SELECT count(*) FROM ({_LISTED}) AS listed", *arguments)


async def fingerprint_key(work: UnitOfWork) -> DataKey | None:
    row = await work.fetchrow(_FINGERPRINT_KEY, work.call.workspace_id)
    return _data_key(row) if row else None


async def add_fingerprint_key(work: UnitOfWork, data_key: DataKey) -> None:
    await add_data_key(work, data_key)
    await work.execute(
        "INSERT INTO fingerprint_keys (workspace_id, data_key_id) VALUES ($1, $2)", work.call.workspace_id, data_key.id
    )


async def add_data_key(work: UnitOfWork, data_key: DataKey) -> None:
    await work.execute(
        _ADD_DATA_KEY, work.call.workspace_id, data_key.id, data_key.wrapped.kek_id, data_key.wrapped.blob, work.now
    )


async def put(work: UnitOfWork, key: str, sealed: Sealed, fingerprint: str) -> asyncpg.Record:
    """Make `sealed` the current version, and forget those before the one before."""
    workspace_id, by = work.call.workspace_id, work.call.principal.subject
    row = await work.fetchrow(_PUT, workspace_id, key, sealed.version, fingerprint, work.now, by)
    assert row is not None
    await add_data_key(work, sealed.data_key)
    await work.execute(_ADD_VERSION, workspace_id, key, sealed.version, sealed.data_key.id, sealed.ciphertext, work.now)
    await work.execute(_FORGET, workspace_id, key, sealed.version - 1)
    return row


async def use(work: UnitOfWork, key: str, by: str) -> asyncpg.Record | None:
    """Note that a service uses it; the secret, or None when it was never set."""
    return await work.fetchrow(_USED, work.call.workspace_id, key, work.now, by)


async def values(session: Session, key: str, versions: Sequence[int]) -> list[Sealed]:
    """Those of the versions that are still kept, the newest first."""
    rows = await session.fetch(_VALUES, session.call.workspace_id, key, list(versions))
    return [Sealed(row["version"], _data_key(row), row["ciphertext"]) for row in rows]


async def outdated_data_keys(work: UnitOfWork, kek_id: str, count: int) -> list[DataKey]:
    """Some data keys that another key than `kek_id` wraps, held until the end of the unit of work."""
    rows = await work.fetch(
        "SELECT id, kek_id, wrapped FROM data_keys WHERE workspace_id = $1 AND kek_id <> $2 "
        "ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED",
        work.call.workspace_id,
        kek_id,
        count,
    )
    return [_data_key(row) for row in rows]


async def replace_wrapping(work: UnitOfWork, data_key_id: str, wrapped: Wrapped) -> None:
    await work.execute(
        "UPDATE data_keys SET kek_id = $3, wrapped = $4 WHERE workspace_id = $1 AND id = $2",
        work.call.workspace_id,
        data_key_id,
        wrapped.kek_id,
        wrapped.blob,
    )


def _data_key(row: asyncpg.Record) -> DataKey:
    return DataKey(row["id"], Wrapped(row["kek_id"], row["wrapped"]))
