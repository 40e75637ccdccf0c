"""Ends what nobody waits for any more: executions over there whose job was cancelled, ran out of time or was given up.

Looked for in the rows, not done by whoever waited: so it also happens when that one is gone, and does not happen when
a job goes on elsewhere or after a restart. Best effort: an agent that does not listen runs on.
"""

import asyncio
import contextlib
from datetime import timedelta

from kit import clock
from kit.database import DATABASE_ERRORS, relay_connection
from kit.errors import Problem
from kit.logs import get_logger
from services.agent_runtime.engines.agentfield import statuses, store
from services.agent_runtime.engines.agentfield.client import ControlPlane, ControlPlaneError, Refused, TooLong
from services.agent_runtime.engines.agentfield.records import Records
from services.agent_runtime.engines.agentfield.store import Abandoned

_PAUSE_SECONDS = 2.0
_TROUBLE_SECONDS = 5.0
_BATCH = 100
# A request that was cut off may still arrive over there; after this long it has.
_SETTLED = timedelta(minutes=1)
# What they refuse to cancel for so long after its beginning is left to them.
_GIVEN_UP = timedelta(days=1)
_REASON = "Opsfield waits for it no more."

log = get_logger(__name__)


class AbandonedSweep:
    """Run with `run()` until cancelled; `wake()` when there may be something. Any number of replicas may sweep."""

    def __init__(self, relay_url: str, control_plane: ControlPlane, records: Records) -> None:
        self._relay_url = relay_url
        self._control_plane = control_plane
        self._records = records
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Never returns; trouble with the database or the control plane is logged and tried again."""
        while True:
            try:
                async with relay_connection(self._relay_url) as connection:
                    while True:
                        self._woken.clear()
                        await self.once(connection)
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(_PAUSE_SECONDS):
                                await self._woken.wait()
            except (*DATABASE_ERRORS, Problem, ControlPlaneError) as error:
                log.warning("abandoned executions are not ended", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(_TROUBLE_SECONDS)

    async def once(self, connection: store.RelayConnection) -> None:
        """Raises database errors, Problem, ControlPlaneError."""
        for each in await store.abandoned(connection, _BATCH):
            try:
                await self._end(each)
            except (Refused, TooLong) as error:
                # That is not the next one's trouble.
                theirs = each.run.their_id
                log.warning("abandoned execution is not cancelled", theirs=theirs, reason=str(error))
                if clock.now() - each.run.created_at > _GIVEN_UP:
                    await self._records.ended(each.workspace_id, each.run.lease)

    async def _end(self, abandoned: Abandoned) -> None:
        run = abandoned.run
        theirs = [run.their_id] if run.their_id else await self._begun_without_a_record(run)
        if not theirs and clock.now() - run.created_at < _SETTLED:
            return
        for their_id in theirs:
            await self._control_plane.cancel(their_id, _REASON)
            log.info("abandoned execution is cancelled", execution=run.execution_id, theirs=their_id)
        await self._records.ended(abandoned.workspace_id, run.lease)

    async def _begun_without_a_record(self, run: store.Run) -> list[str]:
        executions = await self._control_plane.of_run(run_id(run.lease))
        return [str(each["execution_id"]) for each in executions if not statuses.word(each)]


def run_id(lease: str) -> str:
    """The name of the run over there in which a try asks for its execution."""
    return f"opsfield-{lease}"
