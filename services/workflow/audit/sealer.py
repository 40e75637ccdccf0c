"""Seals records: signs them in their order, links them to the chain, and signs a checkpoint over all of it.

A record is written in the transaction of what it tells, so none is lost; sealing follows within a second, a batch of a
workspace's records at a time, so that those who write records do not queue at the chain.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit import ids
from kit.call import Call
from kit.database import Database
from kit.identity import Principal, private_key
from kit.sweeping import Sweep
from kit.unit_of_work import UnitOfWork, unit_of_work
from services.workflow.audit import checkpoint, credential, did_key, store
from services.workflow.audit.checkpoint import Checkpoint
from services.workflow.audit.credential import Link
from services.workflow.audit.store import Chain, Sealed

_SERVICE = "workflow"
_SUBJECT = "sealer:audit"
_PAUSE_SECONDS = 0.5
# Signing one takes about 0.1 ms, in which nothing else happens in the process.
_BATCH = 200
_WORKSPACES = "SELECT DISTINCT workspace_id FROM audit_records WHERE position IS NULL"


@dataclass(frozen=True)
class AuditKey:
    """The key that signs, and its name."""

    private: Ed25519PrivateKey

    @classmethod
    def from_file(cls, path: Path) -> "AuditKey":
        """Raises ValueError when the file holds no Ed25519 private key in PEM, OSError when it cannot be read."""
        return cls(private_key(path))

    @property
    def did(self) -> str:
        return did_key.did_of(self.private.public_key())


def sealing_sweep(database: Database, relay_url: str, key: AuditKey) -> Sweep:
    """The sweep that seals."""

    async def seal_batch(workspace_id: str) -> bool:
        call = Call(
            method=_SUBJECT,
            principal=Principal(_SUBJECT, workspace_id=workspace_id, service=_SERVICE),
            correlation_id=ids.new_id(),
        )
        async with unit_of_work(database, call, service=_SERVICE) as work:
            return await _seal_batch(work, key) == _BATCH

    return Sweep("sealing", relay_url, _WORKSPACES, seal_batch, pause=_PAUSE_SECONDS)


async def _seal_batch(work: UnitOfWork, key: AuditKey) -> int:
    chain = await store.hold_chain(work)
    records = await store.unsealed(work, _BATCH)
    if not records:
        return 0
    sealed: list[Sealed] = []
    for record in records:
        link = Link(chain.tree.size, chain.last_digest)
        token = credential.sign(record, link, key.private)
        digest = credential.digest(token)
        sealed.append(Sealed(record.id, link.position, token, digest))
        chain = Chain(chain.tree.add(token.encode()), digest)
    await store.seal(work, sealed, chain)
    note = checkpoint.sign(Checkpoint(work.call.workspace_id, chain.tree.size, chain.tree.root), key.private)
    await store.add_checkpoint(work, chain.tree, note, key.did)
    return len(sealed)
