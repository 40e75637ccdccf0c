"""What the agent-runtime service consists of."""

from collections.abc import Mapping
from dataclasses import dataclass

from kit import contract
from kit.calls import Services
from kit.rpc import Handler, bind
from kit.wiring import Foundation, Wire, Wiring
from services.agent_runtime.engines.builtin import BuiltinEngine
from services.agent_runtime.engines.engines import Engines
from services.agent_runtime.engines.ops_reader import GrpcOpsReader, OpsCalls
from services.agent_runtime.failures.handlers import FailureHandlers
from services.agent_runtime.jobs.consumers import WorkflowConsumer
from services.agent_runtime.jobs.leases import JobSweep
from services.agent_runtime.jobs.runtime import Runtime
from services.agent_runtime.models.model import Model
from services.agent_runtime.queues.handlers import QueueHandlers
from services.agent_runtime.registry.handlers import RegistryHandlers
from services.agent_runtime.settings import Settings
from services.agent_runtime.smoke.handlers import SmokeHandlers
from services.agent_runtime.workers.pool import WorkerPool
from services.agent_runtime.workers.reasoning import load

NAME = "agent-runtime"


@dataclass(frozen=True)
class Parts:
    """What handlers work with."""

    engines: Engines
    runtime: Runtime
    services: Services


def handlers(parts: Parts) -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    areas = (
        RegistryHandlers(parts.engines, parts.runtime.dispatcher),
        QueueHandlers(parts.engines),
        FailureHandlers(parts.services),
        SmokeHandlers(parts.services),
    )
    rpcs = [rpc for rpc in contract.load() if rpc.owner == NAME]
    found: dict[str, Handler] = {}
    for area in areas:
        found |= bind([rpc for rpc in rpcs if hasattr(area, contract.snake_case(rpc.name))], area)
    return found


def wire(settings: Settings) -> Wire:
    """What `python -m services.agent_runtime` serves."""

    def put_together(foundation: Foundation) -> Wiring:
        engines = Engines(_builtin_engine(settings, foundation))
        database, relay_url, on_commit = foundation.database, foundation.relay_url, foundation.on_commit
        runtime = Runtime(
            engines,
            database,
            relay_url,
            most_per_agent=settings.most_running_per_agent,
            lease_seconds=settings.lease_seconds,
            on_commit=on_commit,
        )
        consumer = WorkflowConsumer(runtime.wake, runtime.runs.stop_job)
        return Wiring(
            handlers=handlers(Parts(engines, runtime, foundation.services)),
            subscriptions=(consumer.subscription(),),
            loops=(runtime.run, JobSweep(database, relay_url, engines, on_commit=on_commit).run),
        )

    return put_together


def _builtin_engine(settings: Settings, foundation: Foundation) -> BuiltinEngine:
    modules = (settings.test_reasoners,) if settings.test_reasoners else ()
    pool = WorkerPool(settings.workers, memory_mb=settings.worker_memory_mb, modules=modules)
    calls = OpsCalls(foundation.services)

    async def wants_model(workspace_id: str) -> bool:
        return (await foundation.settings.workspace(workspace_id)).value.settings.automation.ask_model

    return BuiltinEngine(
        load(*modules),
        pool,
        lambda task: GrpcOpsReader(calls, task),
        model=_model(settings),
        wants_model=wants_model,
    )


def _model(settings: Settings) -> Model | None:
    if not settings.llm_base_url:
        return None
    # Its client takes 40 MB, which only those pay who use it.
    from services.agent_runtime.models.endpoint import EndpointModel

    return EndpointModel(
        settings.llm_base_url,
        settings.llm_model,
        api_key=settings.llm_api_key.get_secret_value(),
        timeout=settings.llm_timeout_seconds,
    )
