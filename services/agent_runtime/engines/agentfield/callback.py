"""What their control plane is asked to call when an execution has ended (workflow/v1/callbacks.proto)."""

from collections.abc import Awaitable, Callable

from kit.errors import NotFound, Problem
from kit.logs import get_logger
from kit.secrets import Secret
from services.agent_runtime.engines.port import Json, Task

PATH = "/api/v1/webhooks/workflow-completed"
DELIVERY = "x-agentfield-delivery"

log = get_logger(__name__)


class Callback:
    """`url`: our gateway, as their control plane reaches it. `get` finds the secret that signs; `required`: whether
    nothing that is not signed would be taken there."""

    def __init__(self, url: str, get: Callable[[], Awaitable[Secret]], *, required: bool) -> None:
        self._url = url.rstrip("/") + PATH
        self._get = get
        self._required = required

    async def webhook(self, task: Task) -> Json | None:
        """The `webhook` of a request. None when they could not call us: then polling alone finds the end."""
        webhook: Json = {"url": self._url, "headers": {DELIVERY: delivery(task)}}
        try:
            return {**webhook, "secret": (await self._get()).value}
        except NotFound:
            if not self._required:
                return webhook
            reason = "the secret workflow.callback is not set"
        except Problem as problem:
            reason = problem.detail
        log.warning("AgentField is not asked to call back", execution=task.execution_id, reason=reason)
        return None


def delivery(task: Task) -> str:
    """The id of the deliveries that tell of this try. It travels as a custom header of theirs, which their signature
    does not cover."""
    return f"{task.workspace_id}.{task.execution_id}.{task.attempt}.{task.lease}"
