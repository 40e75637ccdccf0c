"""The rows of the audit trail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit import ids
from kit.database import Session
from kit.table_listing import TableListing
from kit.unit_of_work import UnitOfWork
from services.workflow.audit.credential import NO_PREVIOUS, Record
from services.workflow.audit.merkle import Tree

LISTING = TableListing(
    # Only what is sealed is a credential.
    "(SELECT * FROM audit_records WHERE position IS NOT NULL) AS credentials",
    "id, kind::text AS kind, subject_id, position, jwt, digest, created_at",
    search="search",
)
_ADD = """
INSERT INTO audit_records (workspace_id, id, kind, subject_id, claims, created_at, search)
VALUES ($1, $2, $3::text::audit_kind, $4, $5, $6, $7)
"""
_BEGIN_CHAIN = """
INSERT INTO audit_chains (workspace_id, size, frontier, last_digest) VALUES ($1, 0, '{}', $2) ON CONFLICT DO NOTHING
"""
_CHAIN = "SELECT size, frontier, last_digest FROM audit_chains WHERE workspace_id = $1 FOR UPDATE"
_UNSEALED = """
SELECT id, kind::text AS kind, subject_id, claims, created_at FROM audit_records
WHERE workspace_id = $1 AND position IS NULL ORDER BY sequence LIMIT $2
"""
_SEAL = """
UPDATE audit_records AS record SET position = sealed.position, jwt = sealed.jwt, digest = sealed.digest
FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[]) AS sealed (id, position, jwt, digest)
WHERE record.workspace_id = $1 AND record.id = sealed.id
"""
_GROW = "UPDATE audit_chains SET size = $2, frontier = $3, last_digest = $4 WHERE workspace_id = $1"
_ADD_CHECKPOINT = """
INSERT INTO audit_checkpoints (workspace_id, size, root, note, issuer, created_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
_LATEST_CHECKPOINT = """
SELECT size, root, note, issuer, created_at FROM audit_checkpoints WHERE workspace_id = $1 ORDER BY size DESC LIMIT 1
"""


@dataclass(frozen=True)
class Chain:
    """A workspace's chain so far."""

    tree: Tree
    last_digest: str


@dataclass(frozen=True)
class Sealed:
    """A record that became a credential."""

    id: str
    position: int
    jwt: str
    digest: str


async def add(work: UnitOfWork, kind: str, subject_id: str, claims: Mapping[str, Any], search: str) -> None:
    """Write down what took place, to be sealed soon."""
    await work.execute(_ADD, work.call.workspace_id, ids.new_id(), kind, subject_id, claims, work.now, search)


async def hold_chain(work: UnitOfWork) -> Chain:
    """The workspace's chain, held until the end."""
    await work.execute(_BEGIN_CHAIN, work.call.workspace_id, NO_PREVIOUS)
    row = await work.fetchrow(_CHAIN, work.call.workspace_id)
    assert row is not None
    return Chain(Tree(row["size"], tuple(row["frontier"])), row["last_digest"])


async def unsealed(work: UnitOfWork, most: int) -> list[Record]:
    """The records to be sealed next, of a chain that is held."""
    rows = await work.fetch(_UNSEALED, work.call.workspace_id, most)
    return [
        Record(row["id"], work.call.workspace_id, row["kind"], row["subject_id"], row["claims"], row["created_at"])
        for row in rows
    ]


async def seal(work: UnitOfWork, sealed: Sequence[Sealed], chain: Chain) -> None:
    """Write credentials and what the chain has become."""
    workspace_id = work.call.workspace_id
    columns = ([getattr(each, name) for each in sealed] for name in ("id", "position", "jwt", "digest"))
    await work.execute(_SEAL, workspace_id, *columns)
    await work.execute(_GROW, workspace_id, chain.tree.size, list(chain.tree.frontier), chain.last_digest)


async def add_checkpoint(work: UnitOfWork, tree: Tree, note: str, issuer: str) -> None:
    await work.execute(_ADD_CHECKPOINT, work.call.workspace_id, tree.size, tree.root, note, issuer, work.now)


async def latest_checkpoint(session: Session) -> Mapping[str, Any] | None:
    row = await session.fetchrow(_LATEST_CHECKPOINT, session.call.workspace_id)
    return dict(row) if row else None
