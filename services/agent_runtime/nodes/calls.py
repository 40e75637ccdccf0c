"""What a node is asked over HTTP, as AgentField's control plane asks it."""

import orjson

from kit.outbound import Answer, Outbound
from services.agent_runtime.engines.port import Task
from services.agent_runtime.nodes.store import Node

_MOST_BYTES = 1024 * 1024
_CANCEL_SECONDS = 5.0


async def begin(outbound: Outbound, task: Task, node: Node, kind: str) -> Answer:
    """Have it make a try. Raises OutboundError."""
    return await outbound.post(
        f"{node.base_url}/{kind}s/{task.reasoner.name}",
        orjson.dumps(task.input),
        headers=_headers(task),
        # The runtime stops it before that, with the right reason.
        seconds=task.reasoner.timeout_seconds + 60,
        most_bytes=_MOST_BYTES,
    )


async def cancel(outbound: Outbound, task: Task, node: Node) -> None:
    """Tell it that the try counts no more. Raises OutboundError."""
    told = {"execution_id": task.lease, "workflow_id": task.execution_id, "reason": "cancelled"}
    await outbound.post(
        f"{node.base_url}/_internal/executions/{task.lease}/cancel",
        orjson.dumps(told),
        headers={**_headers(task), "x-agentfield-source": "opsfield"},
        seconds=_CANCEL_SECONDS,
        most_bytes=_MOST_BYTES,
    )


def _headers(task: Task) -> dict[str, str]:
    """The try is what the node knows as the execution: what it tells of an earlier one can never count for a later."""
    return {
        "content-type": "application/json",
        "x-execution-id": task.lease,
        "x-run-id": task.execution_id,
        "x-workflow-id": task.execution_id,
        "x-session-id": task.workspace_id,
        "x-correlation-id": task.correlation_id,
        **({"traceparent": task.traceparent} if task.traceparent else {}),
    }
