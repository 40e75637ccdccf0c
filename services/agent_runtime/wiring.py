"""What the agent-runtime service consists of."""

from collections.abc import Mapping
from dataclasses import dataclass

from kit import contract
from kit.calls import Services
from kit.rpc import Handler, bind
from kit.wiring import Foundation, Wire, Wiring
from services.agent_runtime.agent_keys.handlers import AgentKeyHandlers
from services.agent_runtime.engines.assembly import agentfield_engine, builtin_engine, remote_nodes
from services.agent_runtime.engines.engines import Engines
from services.agent_runtime.engines.port import Engine
from services.agent_runtime.failures.handlers import FailureHandlers
from services.agent_runtime.jobs.consumers import WorkflowConsumer
from services.agent_runtime.jobs.leases import JobSweep
from services.agent_runtime.jobs.runtime import Runtime
from services.agent_runtime.jobs.store import BACKLOG
from services.agent_runtime.nodes.handlers import NodeHandlers
from services.agent_runtime.nodes.nodes import Nodes
from services.agent_runtime.queues.handlers import QueueHandlers
from services.agent_runtime.registry.handlers import RegistryHandlers
from services.agent_runtime.settings import Settings
from services.agent_runtime.smoke.handlers import SmokeHandlers

NAME = "agent-runtime"


@dataclass(frozen=True)
class Parts:
    """What handlers work with."""

    engines: Engines
    in_use: Engine
    runtime: Runtime
    services: Services
    nodes: Nodes


def handlers(parts: Parts) -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    areas = (
        RegistryHandlers(parts.engines, parts.in_use, parts.runtime.dispatcher),
        QueueHandlers(parts.engines, parts.nodes.limits),
        FailureHandlers(parts.services),
        SmokeHandlers(parts.services),
        AgentKeyHandlers(parts.nodes.leaving),
        NodeHandlers(parts.nodes, parts.engines),
    )
    rpcs = [rpc for rpc in contract.load() if rpc.owner == NAME]
    found: dict[str, Handler] = {}
    for area in areas:
        found |= bind([rpc for rpc in rpcs if hasattr(area, contract.snake_case(rpc.name))], area)
    return found


def wire(settings: Settings) -> Wire:
    """What `python -m services.agent_runtime` serves."""

    def put_together(foundation: Foundation) -> Wiring:
        builtin = builtin_engine(settings, foundation)
        agentfield = agentfield_engine(settings, foundation, builtin)
        nodes = remote_nodes(settings, foundation)
        # In the order in which they are asked for an agent; the last one has whatever no other has.
        engines = Engines(*(engine for engine in (builtin, agentfield, nodes.engine) if engine is not None))
        database, relay_url, on_commit = foundation.database, foundation.relay_url, foundation.on_commit
        runtime = Runtime(
            engines,
            database,
            relay_url,
            most_per_agent=settings.most_running_per_agent,
            lease_seconds=settings.lease_seconds,
            on_commit=on_commit,
        )
        sweep = JobSweep(
            database,
            relay_url,
            engines,
            adopt=runtime.runs.adopt,
            lease_seconds=settings.lease_seconds,
            on_commit=on_commit,
        )
        consumer = WorkflowConsumer(runtime.wake, runtime.runs.stop_job)
        return Wiring(
            handlers=handlers(Parts(engines, agentfield or builtin, runtime, foundation.services, nodes)),
            subscriptions=(consumer.subscription(),),
            loops=(runtime.run, sweep.run),
            backlogs={BACKLOG: ("waiting", "running")},
        )

    return put_together
