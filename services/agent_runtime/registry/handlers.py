"""The rpcs about agents, their reasoners, and the engine that runs them."""

from collections import defaultdict
from collections.abc import Iterable

from kit import structs
from kit.database import Session
from kit.errors import NotFound
from kit.paging import Listing, page_of, sort_of
from opsfield.agent_runtime.v1 import runtime_pb2
from services.agent_runtime import memory_listing
from services.agent_runtime.engines.port import Engine
from services.agent_runtime.jobs.dispatcher import Dispatcher
from services.agent_runtime.reasoners.reasoner import Reasoner

_DEPTHS = (
    (1, runtime_pb2.EngineStatus.EMPTY),
    (10, runtime_pb2.EngineStatus.FEW),
    (100, runtime_pb2.EngineStatus.MANY),
)


class RegistryHandlers:
    def __init__(self, engine: Engine, dispatcher: Dispatcher) -> None:
        self._engine = engine
        self._dispatcher = dispatcher

    async def get_engine_status(
        self, request: runtime_pb2.GetEngineStatusRequest, session: Session
    ) -> runtime_pb2.EngineStatus:
        del request, session
        return runtime_pb2.EngineStatus(
            engine=self._engine.name,
            version=self._engine.version,
            reachable=self._engine.workers > 0,
            queue_depth=depth_word(self._dispatcher.depth),
        )

    async def get_reasoner(self, request: runtime_pb2.GetReasonerRequest, session: Session) -> runtime_pb2.Reasoner:
        del session
        found = self._engine.reasoners.get(f"{request.agent}.{request.reasoner}")
        if found is None:
            raise NotFound(f"There is no reasoner {request.agent}.{request.reasoner}.")
        return self._reasoner(found)

    async def list_runtime_agents(
        self, request: runtime_pb2.ListRuntimeAgentsRequest, session: Session
    ) -> runtime_pb2.ListRuntimeAgentsResponse:
        del session
        listing = Listing.of(request, runtime_pb2.RuntimeAgent.DESCRIPTOR)
        agents, total = memory_listing.page(self._agents(), listing, texts=_names)
        return runtime_pb2.ListRuntimeAgentsResponse(
            data=agents,
            page=page_of(listing, returned=len(agents), total=total),
            sort=sort_of(listing),
            filters=listing.filters,
        )

    def _agents(self) -> list[runtime_pb2.RuntimeAgent]:
        by_agent = defaultdict(list)
        for name in sorted(self._engine.reasoners):
            reasoner = self._engine.reasoners[name]
            by_agent[reasoner.agent].append(self._reasoner(reasoner))
        return [
            runtime_pb2.RuntimeAgent(
                id=agent,
                engine=self._engine.name,
                version=self._engine.version,
                reachable=self._engine.workers > 0,
                reasoners=reasoners,
            )
            for agent, reasoners in by_agent.items()
        ]

    def _reasoner(self, reasoner: Reasoner) -> runtime_pb2.Reasoner:
        return runtime_pb2.Reasoner(
            agent=reasoner.agent,
            name=reasoner.name,
            description=reasoner.description,
            input_schema=structs.from_json(reasoner.input_schema),
            output_schema=structs.from_json(reasoner.output_schema),
            timeout_seconds=reasoner.timeout_seconds,
            most_tries=reasoner.most_tries,
            engine=self._engine.name,
        )


def depth_word(waiting: int) -> runtime_pb2.EngineStatus.Depth:
    """How many wait, roughly: it is told to anyone."""
    return next((word for bound, word in _DEPTHS if waiting < bound), runtime_pb2.EngineStatus.VERY_MANY)


def _names(agent: runtime_pb2.RuntimeAgent) -> Iterable[str]:
    return (agent.id, agent.engine, *(f"{each.agent}.{each.name}" for each in agent.reasoners))
