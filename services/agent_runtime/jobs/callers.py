"""On whose behalf the runtime works."""

from dataclasses import replace

from kit import ids
from kit.call import Call
from kit.identity import Principal
from services.agent_runtime.jobs.store import Job

SERVICE = "agent-runtime"


def of_job(job: Job) -> Call:
    """The execution itself: what is told of it belongs to the request that began it."""
    return Call(
        method=f"{SERVICE}/run",
        principal=Principal(f"execution:{job.execution_id}", workspace_id=job.workspace_id, service=SERVICE),
        correlation_id=job.correlation_id,
        traceparent=job.traceparent,
    )


def of_agent_key(call: Call, key_id: str) -> Call:
    """Whoever has that key; the call itself is of somebody who is not known yet."""
    return replace(call, principal=Principal(f"agent-key:{key_id}", workspace_id=call.workspace_id))


def of_workspace(workspace_id: str) -> Call:
    """The runtime, at work in a workspace."""
    return Call(
        method=f"{SERVICE}/jobs",
        principal=Principal("system:jobs", workspace_id=workspace_id, service=SERVICE),
        correlation_id=f"jobs-{ids.new_id()}",
    )
