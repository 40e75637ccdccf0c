"""What their statuses mean here. Only a terminal one says that an execution has ended: what an event is called does
not, since they call one that is still running `execution.failed`."""

from dataclasses import dataclass
from typing import Any

from services.agent_runtime.engines.agentfield.client import one_line
from services.agent_runtime.engines.port import Failed, Json, Succeeded

_LONGEST_DETAIL = 500
# Other words for the four that are terminal, as agents may report them.
_WORDS = {
    "succeeded": "succeeded",
    "success": "succeeded",
    "successful": "succeeded",
    "completed": "succeeded",
    "complete": "succeeded",
    "done": "succeeded",
    "ok": "succeeded",
    "failed": "failed",
    "failure": "failed",
    "error": "failed",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "timeout": "timeout",
    "timed_out": "timeout",
}


@dataclass(frozen=True)
class TimedOut:
    """It took longer there than it may."""


Ended = Succeeded | Failed | TimedOut


def word(execution: Json) -> str:
    """`succeeded`, `failed`, `cancelled` or `timeout`; empty for one that has not ended, as far as can be told."""
    status = execution.get("status")
    return _WORDS.get(status.strip().lower(), "") if isinstance(status, str) else ""


def outcome(execution: Json, target: str) -> Ended | None:
    """What came of an execution, from what `GET /executions/{id}` answers; None: it has not ended."""
    match word(execution):
        case "succeeded":
            return Succeeded(_output(execution.get("result")), _evidence(execution, target), ())
        case "failed":
            return Failed("reasoner_error", _detail(execution) or "It failed, and did not say why.")
        case "cancelled":
            said = _detail(execution)
            return Failed("cancelled_by_caller", f"It was cancelled at the control plane{f': {said}' if said else '.'}")
        case "timeout":
            return TimedOut()
    return None


def _output(result: Any) -> Json:
    """An output is an object: whatever else there is becomes the `value` of one."""
    return result if isinstance(result, dict) else {"value": result}


def _evidence(execution: Json, target: str) -> Json:
    """Where the output comes from, so that it can be looked up there."""
    names = {
        "executionId": "execution_id",
        "runId": "run_id",
        "startedAt": "started_at",
        "completedAt": "completed_at",
    }
    found: Json = {ours: text for ours, theirs in names.items() if (text := one_line(execution.get(theirs)))}
    return {"agentfield": {"target": target, **found}}


def _detail(execution: Json) -> str:
    texts = (one_line(execution.get(name), _LONGEST_DETAIL) for name in ("error", "error_message", "status_reason"))
    return next((text for text in texts if text), "")
