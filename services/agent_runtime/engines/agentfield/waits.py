"""Waiting for the next look at an execution: longer each time, or until somebody says that it is time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kit.database import DATABASE_ERRORS, relay_connection
from kit.logs import get_logger
from services.agent_runtime.jobs.store import CALLED_BACK

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.5, 10.0, 1.6
_RECONNECT_SECONDS = 1.0
_LISTENING_CHECK_SECONDS = 5.0

log = get_logger(__name__)


class Wait:
    """Of one execution."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._pause = _FIRST_PAUSE

    def wake(self) -> None:
        self._woken.set()

    async def next(self) -> None:
        """Returns when it is time to look."""
        # Not asyncio.wait_for: up to Python 3.11 it loses a cancellation that comes with what it waits for.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._woken.wait()
        if not self._woken.is_set():
            self._pause = min(self._pause * _GROWTH, _LONGEST_PAUSE)
        self._woken.clear()


class Waits:
    """Of all executions that this replica waits for. Whichever replica hears of a callback tells all of them, over a
    channel of the database; run `listen()` until cancelled."""

    def __init__(self, relay_url: str) -> None:
        self._relay_url = relay_url
        self._waits: dict[str, set[Wait]] = {}

    @property
    def count(self) -> int:
        return sum(map(len, self._waits.values()))

    @contextmanager
    def of(self, execution_id: str) -> Iterator[Wait]:
        wait = Wait()
        self._waits.setdefault(execution_id, set()).add(wait)
        try:
            yield wait
        finally:
            self._waits[execution_id].discard(wait)
            if not self._waits[execution_id]:
                del self._waits[execution_id]

    def wake(self, execution_id: str) -> None:
        for wait in self._waits.get(execution_id, ()):
            wait.wake()

    async def listen(self) -> None:
        """Never returns. While the database is away, looks are taken at their own time."""
        while True:
            try:
                async with relay_connection(self._relay_url) as connection:
                    await connection.add_listener(CALLED_BACK, lambda *told: self.wake(str(told[-1])))
                    while not connection.is_closed():
                        await asyncio.sleep(_LISTENING_CHECK_SECONDS)
            except DATABASE_ERRORS as error:
                log.warning("callbacks are not heard of", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(_RECONNECT_SECONDS)
