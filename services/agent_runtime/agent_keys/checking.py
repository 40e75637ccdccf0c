"""Whether a key that an agent brings is one."""

from datetime import timedelta

from kit.errors import Unauthenticated
from kit.unit_of_work import UnitOfWork
from services.agent_runtime.agent_keys import store
from services.agent_runtime.agent_keys.keys import AgentKey, hash_of

# When a key was last used is written so often at most.
_NOTED_EVERY = timedelta(minutes=1)


async def check(work: UnitOfWork, text: str) -> AgentKey:
    """The key, which can be used. Raises Unauthenticated, the same for every flaw, so that nobody learns which keys
    there are."""
    found = await store.by_hash(work, hash_of(text))
    if found is None or found.state(work.now) != "active":
        raise _refused()
    if found.last_used_at is None or work.now - found.last_used_at > _NOTED_EVERY:
        await store.use(work, found.id)
    return found


async def hold(work: UnitOfWork, text: str) -> AgentKey:
    """As `check`; nobody can revoke it until the end of the unit of work."""
    found = await store.hold(work, (await check(work, text)).id)
    if found is None or found.state(work.now) != "active":
        raise _refused()
    return found


def _refused() -> Unauthenticated:
    return Unauthenticated("The agent key is not valid: unknown, expired or revoked.", code="agent-key-refused")
