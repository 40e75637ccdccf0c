"""The engines of this process, put together from its settings."""

from kit.wiring import Foundation
from services.agent_runtime.engines.agentfield.callback import Callback
from services.agent_runtime.engines.agentfield.client import ControlPlane
from services.agent_runtime.engines.agentfield.engine import AgentFieldEngine
from services.agent_runtime.engines.builtin import BuiltinEngine
from services.agent_runtime.engines.ops_reader import GrpcOpsReader, OpsCalls
from services.agent_runtime.models.model import Model
from services.agent_runtime.nodes.limits import NodeLimits
from services.agent_runtime.nodes.nodes import Nodes
from services.agent_runtime.settings import Settings
from services.agent_runtime.workers.pool import WorkerPool
from services.agent_runtime.workers.reasoning import load


def builtin_engine(settings: Settings, foundation: Foundation) -> BuiltinEngine:
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


def agentfield_engine(settings: Settings, foundation: Foundation, builtin: BuiltinEngine) -> AgentFieldEngine | None:
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


def remote_nodes(settings: Settings, foundation: Foundation) -> Nodes:
    limits = NodeLimits(silence_seconds=settings.agent_silence_seconds, timeout_seconds=settings.remote_timeout_seconds)
    return Nodes(
        foundation.database,
        settings.database_url,
        foundation.relay_url,
        limits,
        slots=settings.most_remote_runs,
        internal=settings.reaches_private_networks,
        on_commit=foundation.on_commit,
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
