"""The rpcs about queues and health."""

from kit.database import Session
from kit.paging import Listing
from opsfield.agent_runtime.v1.runtime_pb2 import (
    GetRuntimeHealthRequest,
    ListQueuesRequest,
    ListQueuesResponse,
    Queue,
    RuntimeHealth,
)
from services.agent_runtime.engines.engines import Engines
from services.agent_runtime.nodes import store as nodes
from services.agent_runtime.nodes.limits import NodeLimits
from services.agent_runtime.queues import store

_LONG_SECONDS = 60.0


class QueueHandlers:
    def __init__(self, engines: Engines, limits: NodeLimits) -> None:
        self._engine = engines.first
        self._limits = limits

    async def get_runtime_health(self, request: GetRuntimeHealthRequest, session: Session) -> RuntimeHealth:
        """The workers are those of the replica that answers: of the engine that the platform stands on."""
        del request
        counts = await store.counts(session)
        waits_long = (counts["oldest_waiting_seconds"] or 0) > _LONG_SECONDS
        is_degraded = waits_long or self._engine.workers == 0
        return RuntimeHealth(
            status=RuntimeHealth.DEGRADED if is_degraded else RuntimeHealth.OK,
            workers=self._engine.workers,
            busy_workers=self._engine.busy,
            **counts,
            **await nodes.counts(session, self._limits.silence_seconds),
        )

    async def list_queues(self, request: ListQueuesRequest, session: Session) -> ListQueuesResponse:
        listing = Listing.of(request, Queue.DESCRIPTOR)
        rows, total = await store.LISTING.page(session, listing)
        return ListQueuesResponse(**listing.answer([Queue(**row) for row in rows], total))
