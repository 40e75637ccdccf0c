"""The rpcs about agents, their reasoners, and the engine that runs them."""

from collections.abc import Iterable

from kit import structs
from kit.database import Session
from kit.errors import NotFound
from kit.paging import Listing
from opsfield.agent_runtime.v1 import runtime_pb2
from services.agent_runtime import memory_listing
from services.agent_runtime.engines.engines import Engines
from services.agent_runtime.engines.port import Agent, Engine
from services.agent_runtime.jobs.dispatcher import Dispatcher
from services.agent_runtime.reasoners.reasoner import Description

_DEPTHS = (
    (1, runtime_pb2.EngineStatus.EMPTY),
    (10, runtime_pb2.EngineStatus.FEW),
    (100, runtime_pb2.EngineStatus.MANY),
)


class RegistryHandlers:
    """`in_use`: the engine that the platform says it uses."""

    def __init__(self, engines: Engines, in_use: Engine, dispatcher: Dispatcher) -> None:
        self._engines = engines
        self._in_use = in_use
        self._dispatcher = dispatcher

    async def get_engine_status(
        self, request: runtime_pb2.GetEngineStatusRequest, session: Session
    ) -> runtime_pb2.EngineStatus:
        del request, session
        engine = self._in_use
        return runtime_pb2.EngineStatus(
            engine=engine.name,
            version=engine.version,
            reachable=engine.workers > 0,
            queue_depth=depth_word(self._dispatcher.depth),
        )

    async def get_reasoner(self, request: runtime_pb2.GetReasonerRequest, session: Session) -> runtime_pb2.Reasoner:
        found = await self._engines.find(session.call.workspace_id, request.agent, request.reasoner)
        if found is None:
            raise NotFound(f"There is no reasoner {request.agent}.{request.reasoner}.")
        return _reasoner(found.reasoner, found.engine.name)

    async def list_runtime_agents(
        self, request: runtime_pb2.ListRuntimeAgentsRequest, session: Session
    ) -> runtime_pb2.ListRuntimeAgentsResponse:
        listing = Listing.of(request, runtime_pb2.RuntimeAgent.DESCRIPTOR)
        found = [_agent(each) for each in await self._engines.agents(session.call.workspace_id)]
        agents, total = memory_listing.page(found, listing, texts=_names)
        return runtime_pb2.ListRuntimeAgentsResponse(**listing.answer(agents, total))


def depth_word(waiting: int) -> runtime_pb2.EngineStatus.Depth:
    """How many wait, roughly: it is told to anyone."""
    return next((word for bound, word in _DEPTHS if waiting < bound), runtime_pb2.EngineStatus.VERY_MANY)


def _names(agent: runtime_pb2.RuntimeAgent) -> Iterable[str]:
    return (agent.id, agent.engine, *(f"{each.agent}.{each.name}" for each in agent.reasoners))


def _agent(agent: Agent) -> runtime_pb2.RuntimeAgent:
    return runtime_pb2.RuntimeAgent(
        id=agent.name,
        engine=agent.engine,
        version=agent.version,
        reachable=agent.reachable,
        reasoners=[_reasoner(each, agent.engine) for each in agent.reasoners],
        last_heard_at=agent.last_heard_at,
        created_at=agent.created_at,
    )


def _reasoner(reasoner: Description, engine: str) -> runtime_pb2.Reasoner:
    return runtime_pb2.Reasoner(
        agent=reasoner.agent,
        name=reasoner.name,
        description=reasoner.description,
        input_schema=structs.from_json(reasoner.input_schema),
        output_schema=structs.from_json(reasoner.output_schema),
        timeout_seconds=reasoner.timeout_seconds,
        most_tries=reasoner.most_tries,
        engine=engine,
    )
