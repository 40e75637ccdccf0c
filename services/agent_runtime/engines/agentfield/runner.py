"""One try of an execution at AgentField's control plane: begun there or adopted, then asked about until it has ended.

An execution over there is begun once for each attempt, whatever dies here: before it is asked for, the try is written
down; after that, its id over there. Whoever takes the job up again asks about what the earlier try began and adopts it.

Their control plane has no idempotency key, so one gap is left. When we die, or the connection does, between their
answer and its record, the next try looks for an execution in the run that was named after the earlier one (X-Run-ID).
If the control plane does not list it, be it that it offers no such list, or that the request arrives there only after
that look, a second one is begun.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import TypeVar

from kit.errors import Problem
from kit.logs import get_logger
from services.agent_runtime.engines.agentfield import statuses
from services.agent_runtime.engines.agentfield.abandoned import run_id
from services.agent_runtime.engines.agentfield.callback import Callback
from services.agent_runtime.engines.agentfield.client import (
    Accepted,
    Busy,
    ControlPlane,
    ControlPlaneError,
    NotSent,
    Refused,
    TooLong,
    Unreachable,
)
from services.agent_runtime.engines.agentfield.records import Records, Superseded
from services.agent_runtime.engines.agentfield.statuses import Ended, TimedOut
from services.agent_runtime.engines.agentfield.store import Run
from services.agent_runtime.engines.agentfield.waits import Wait, Waits
from services.agent_runtime.engines.port import Failed, Json, Outcome, Task

_PAUSE_SECONDS = 0.5
_RECORD_TRIES = 20
_GOES_WELL = ("", "succeeded")

T = TypeVar("T")

log = get_logger(__name__)


class Runner:
    """`callback`: None where they are not asked to call back. `patience_seconds`: how long it is tried again while the
    control plane is full or cannot be reached."""

    def __init__(
        self,
        control_plane: ControlPlane,
        records: Records,
        callback: Callback | None,
        waits: Waits,
        *,
        patience_seconds: float,
    ) -> None:
        self._control_plane = control_plane
        self._records = records
        self._callback = callback
        self._waits = waits
        self._patience_seconds = patience_seconds

    async def run(self, task: Task) -> Outcome:
        """Raises TimeoutError for what took too long over there."""
        try:
            with self._waits.of(task.execution_id) as wait:
                their_id = await self._begun(task)
                ended = await self._until_ended(task, their_id, wait)
        except ControlPlaneError as error:
            return _failed(error)
        except Superseded:
            return Failed("worker_lost", "Another try has taken its place.", passes=True)
        except Problem as problem:
            # Its own rows: as good as a runner that is lost.
            return Failed("worker_lost", problem.detail, passes=problem.retry_after is not None)
        if ended is None:
            return Failed("worker_lost", "The control plane knows nothing of it any more.", passes=True)
        await self._note_end(task)
        if isinstance(ended, TimedOut):
            raise TimeoutError("it took too long at the control plane")
        return ended

    async def _begun(self, task: Task) -> str:
        """The id of the one over there: an earlier try's if there is one, else a new one's."""
        earlier = await self._records.begin(task)
        if not earlier:
            return await self._begin(task)
        if theirs := await self._adopt(task, earlier):
            return theirs
        await self._records.begin_anew(task, earlier)
        return await self._begin(task)

    async def _adopt(self, task: Task, earlier: Sequence[Run]) -> str | None:
        """What an earlier try of this attempt began, if the control plane still knows of it. Its end is the attempt's,
        whoever saw it first."""
        for run in earlier:
            theirs = await self._find(run)
            if theirs is not None:
                await self._records.adopt(task, run, theirs)
                log.info("execution at AgentField is adopted", execution=task.execution_id, theirs=theirs)
                return theirs
        return None

    async def _find(self, run: Run) -> str | None:
        their_id = run.their_id
        if their_id is not None:
            known = await self._patiently(lambda: self._control_plane.execution(their_id))
            return their_id if known is not None else None
        # One that was refused since they were full may be listed as failed, and one that was given up as cancelled.
        begun = await self._patiently(lambda: self._control_plane.of_run(run_id(run.lease)))
        return next((str(each["execution_id"]) for each in begun if statuses.word(each) in _GOES_WELL), None)

    async def _begin(self, task: Task) -> str:
        accepted = await self._execute(task)
        their_id = accepted.execution_id
        log.info("execution at AgentField begins", execution=task.execution_id, theirs=their_id)
        if accepted.webhook_problem:
            log.warning("AgentField will not call back", execution=task.execution_id, reason=accepted.webhook_problem)
        try:
            await self._record(task, their_id)
        except Superseded:
            await self._control_plane.cancel(their_id, "Another try has taken its place.")
            raise
        return their_id

    async def _execute(self, task: Task) -> Accepted:
        body: Json = {"input": task.input, "context": _context(task)}
        if self._callback and (webhook := await self._callback.webhook(task)):
            body["webhook"] = webhook
        target, headers = task.reasoner.full_name, _headers(task)
        # Only when it is certain that nothing was begun.
        return await self._patiently(lambda: self._control_plane.execute(target, body, headers), again=(Busy, NotSent))

    async def _record(self, task: Task, their_id: str) -> None:
        """Raises Superseded. Without a record what comes of it can still be told, unless we die meanwhile."""
        for _ in range(_RECORD_TRIES):
            try:
                await self._records.begun(task, their_id)
                return
            except Problem as problem:
                log.warning("execution at AgentField is not recorded yet", theirs=their_id, reason=problem.detail)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _until_ended(self, task: Task, their_id: str, wait: Wait) -> Ended | None:
        """None: it is not known there any more."""
        while True:
            execution = await self._patiently(lambda: self._control_plane.execution(their_id))
            if execution is None:
                return None
            ended = statuses.outcome(execution, task.reasoner.full_name)
            if ended is not None:
                return ended
            await wait.next()

    async def _note_end(self, task: Task) -> None:
        try:
            await self._records.ended(task.workspace_id, task.lease)
        except Problem as problem:
            # It is asked to end once more, which does nothing.
            log.warning("end of an execution at AgentField is not noted", reason=problem.detail)

    async def _patiently(
        self, ask: Callable[[], Awaitable[T]], again: tuple[type[ControlPlaneError], ...] = (Busy, Unreachable)
    ) -> T:
        """What `ask` comes to, asked again after errors of these kinds. Raises ControlPlaneError."""
        deadline, pause = monotonic() + self._patience_seconds, _PAUSE_SECONDS
        while True:
            try:
                return await ask()
            except again as error:
                wait = error.retry_after if isinstance(error, Busy) else pause
                if monotonic() + wait > deadline:
                    raise
                log.warning("AgentField's control plane is asked again", reason=str(error), seconds=wait)
            await asyncio.sleep(wait)
            pause = min(pause * 2, 5.0)


def _failed(error: ControlPlaneError) -> Failed:
    if isinstance(error, TooLong):
        return Failed("output_invalid", str(error))
    if isinstance(error, Refused) and not error.is_of_access:
        # What they do not know they answer with 400.
        return Failed("reasoner_unknown" if error.status in (400, 404) else "reasoner_error", str(error))
    return Failed("engine_unreachable", str(error), passes=True)


def _context(task: Task) -> Json:
    """For whoever looks at it over there; nothing of it is believed here."""
    return {
        "opsfield": {
            "workspaceId": task.workspace_id,
            "executionId": task.execution_id,
            "attempt": task.attempt,
            "correlationId": task.correlation_id,
        }
    }


def _headers(task: Task) -> dict[str, str]:
    headers = {
        "x-run-id": run_id(task.lease),
        "x-session-id": task.workspace_id,
        "x-actor-id": f"execution:{task.execution_id}",
    }
    if task.traceparent:
        headers["traceparent"] = task.traceparent
    return headers
