"""The end of an agent's identity."""

from kit.unit_of_work import UnitOfWork
from opsfield.telemetry.v1.conditions_pb2 import AssetObserved
from services.telemetry.agents import store
from services.telemetry.detection import silence
from services.telemetry.detection.detector import withdraw


async def revoke(work: UnitOfWork, agent_id: str, *, reason: str | None) -> bool:
    """End it: what was raised about the agent is over, and its asset offline as far as anyone can tell. False when
    there is no such agent; one whose identity has ended already stays as it is."""
    agent = await store.lock(work, agent_id)
    if agent is None:
        return False
    if agent.state == "revoked":
        return True
    await withdraw(work, agent)
    if agent.connectivity == "online":
        observed = AssetObserved(
            status="OFFLINE",
            last_seen_at=agent.last_seen_at,
            agent_id=agent.id,
            client_id=agent.client_id,
            site_id=agent.site_id,
        )
        work.emit(observed, key=agent.id)
    elif agent.connectivity == "offline":
        await silence.heard(work, agent)
    await store.mark_revoked(work, agent_id, reason)
    return True
