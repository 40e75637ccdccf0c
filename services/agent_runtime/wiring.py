"""What the agent-runtime service consists of."""

from collections.abc import Mapping
from dataclasses import dataclass

from kit import contract
from kit.calls import Services
from kit.rpc import Handler, bind
from kit.wiring import Foundation, Wire, Wiring
from services.agent_runtime.engines.agentfield.callback import Callback
from services.agent_runtime.engines.agentfield.client import ControlPlane
from services.agent_runtime.engines.agentfield.engine import AgentFieldEngine
from services.agent_runtime.engines.builtin import BuiltinEngine
from services.agent_runtime.engines.engines import Engines
from services.agent_runtime.engines.ops_reader import GrpcOpsReader, OpsCalls
from services.agent_runtime.engines.port import Engine
from services.agent_runtime.failures.handlers import FailureHandlers
from services.agent_runtime.jobs.consumers import WorkflowConsumer
from services.agent_runtime.jobs.leases import JobSweep
from services.agent_runtime.jobs.runtime import Runtime
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
    in_use: Engine
    runtime: Runtime
    services: Services


def handlers(parts: Parts) -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    areas = (
        RegistryHandlers(parts.engines, parts.in_use, parts.runtime.dispatcher),
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
        builtin = _builtin_engine(settings, foundation.services)
        agentfield = _agentfield_engine(settings, foundation, builtin)
        # In the order in which they are asked for an agent.
        engines = Engines(*(engine for engine in (builtin, agentfield) if engine is not None))
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
            handlers=handlers(Parts(engines, agentfield or builtin, runtime, foundation.services)),
            subscriptions=(consumer.subscription(),),
            loops=(runtime.run, JobSweep(database, relay_url, engines, on_commit=on_commit).run),
        )

    return put_together


def _builtin_engine(settings: Settings, services: Services) -> BuiltinEngine:
    modules = (settings.test_reasoners,) if settings.test_reasoners else ()
    pool = WorkerPool(settings.workers, memory_mb=settings.worker_memory_mb, modules=modules)
    calls = OpsCalls(services)
    return BuiltinEngine(load(*modules), pool, lambda task: GrpcOpsReader(calls, task))


def _agentfield_engine(settings: Settings, foundation: Foundation, builtin: BuiltinEngine) -> AgentFieldEngine | None:
    """None where no control plane is named."""
    if settings.agentfield_url is None:
        return None
    key, callback = settings.agentfield_api_key, None
    if settings.agentfield_callback_url is not None:
        callback = Callback(
            str(settings.agentfield_callback_url),
            lambda: foundation.secrets.get(None, "workflow.callback"),
            required=settings.environment == "production",
        )
    return AgentFieldEngine(
        ControlPlane(str(settings.agentfield_url), key.get_secret_value() if key else None),
        foundation.database,
        foundation.relay_url,
        callback,
        taken=builtin.names,
        slots=settings.agentfield_most_running,
        timeout_seconds=settings.agentfield_timeout_seconds,
    )
