"""The end of an agent's identity."""

from kit.unit_of_work import UnitOfWork
from opsfield.telemetry.v1.conditions_pb2 import AssetObserved
from services.telemetry.agents import store
from services.telemetry.detection.detector import clear_all


async def revoke(work: UnitOfWork, agent_id: str, *, reason: str | None) -> bool:
    """End it: what was raised about the agent is over, and its asset offline as far as anyone can tell. False when
    there is no such agent; one whose identity has ended already stays as it is."""
    row = await store.lock(work, agent_id)
    if row is None:
        return False
    if row["state"] == "revoked":
        return True
    await store.mark_revoked(work, agent_id, reason)
    await clear_all(work, agent_id)
    if row["connectivity"] == "online":
        observed = AssetObserved(
            status="OFFLINE",
            last_seen_at=row["last_seen_at"],
            agent_id=agent_id,
            client_id=row["client_id"],
            site_id=row["site_id"],
        )
        work.emit(observed, key=agent_id)
    return True
