"""AgentKeyService."""

from datetime import timedelta

from kit import clock, ids
from kit.database import Session
from kit.errors import NotFound
from kit.paging import Listing
from kit.unit_of_work import UnitOfWork
from opsfield.agent_runtime.v1 import agent_keys_pb2 as pb2
from services.agent_runtime.agent_keys import keys, store
from services.agent_runtime.nodes.leaving import Leaving

_VALID_DAYS = 365


class AgentKeyHandlers:
    def __init__(self, leaving: Leaving) -> None:
        self._leaving = leaving

    async def create_agent_key(self, request: pb2.CreateAgentKeyRequest, work: UnitOfWork) -> pb2.NewAgentKey:
        days = request.valid_days if request.HasField("valid_days") else _VALID_DAYS
        text = keys.new_key(work.call.workspace_id)
        added = await store.add(
            work, ids.new_id(), keys.hash_of(text), name=request.name, expires_at=work.now + timedelta(days=days)
        )
        work.audit(added.id, None)
        return pb2.NewAgentKey(key=text, agent_key=_message(added))

    async def list_agent_keys(self, request: pb2.ListAgentKeysRequest, session: Session) -> pb2.ListAgentKeysResponse:
        listing = Listing.of(request, pb2.AgentKey.DESCRIPTOR)
        rows, total = await store.LISTING.page(session, listing)
        found = [key for row in rows if (key := store.key(row))]
        return pb2.ListAgentKeysResponse(**listing.answer([_message(each) for each in found], total))

    async def revoke_agent_key(self, request: pb2.RevokeAgentKeyRequest, work: UnitOfWork) -> pb2.AgentKey:
        """One that is revoked stays as it is. Raises NotFound."""
        key = await store.lock(work, request.id)
        if key is None:
            raise NotFound(f"There is no agent key {request.id} here.")
        if key.revoked_at is None:
            key = await store.revoke(work, key.id, request.reason if request.HasField("reason") else None)
            await self._leaving.leave_all_of_key(work, key.id)
        return _message(key)


def _message(key: keys.AgentKey) -> pb2.AgentKey:
    return pb2.AgentKey(
        id=key.id,
        name=key.name,
        state=key.state(clock.now()).upper(),
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
        revoked_reason=key.revoked_reason,
        created_by=key.created_by,
        created_at=key.created_at,
    )
