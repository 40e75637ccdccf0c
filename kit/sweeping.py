"""Work that is found across workspaces and done in one workspace at a time.

Every replica runs a sweep. Which workspaces have something due is asked with the relay's role, which may see just that;
what is done goes through the service's own, where whoever locks a row first does it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg

from kit import clock
from kit.database import DATABASE_ERRORS, relay_connection
from kit.errors import Problem
from kit.logs import get_logger

# One workspace: True when something may be left to do in it.
Step = Callable[[str], Awaitable[bool]]

# After so many steps it is the next workspace's turn.
_MOST_STEPS = 50

log = get_logger(__name__)


class Sweep:
    """Run with `run()` until cancelled. `query` finds the workspaces in which something is due (at $1, if it matters);
    `step` does some of it; `channel` is notified when there may be something before the next look, which is `pause`
    seconds after the last."""

    def __init__(
        self, name: str, relay_url: str, query: str, step: Step, *, channel: str | None = None, pause: float = 1.0
    ) -> None:
        self._name = name
        self._relay_url = relay_url
        self._query = query
        self._step = step
        self._channel = channel
        self._pause = pause
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Never returns; trouble with the database is logged, waited out and begun afresh."""
        while True:
            try:
                await self._sweep_while_connected()
            except (*DATABASE_ERRORS, Problem) as error:
                log.warning("sweep interrupted", sweep=self._name, error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(self._pause)

    async def once(self) -> None:
        """Look once. Raises database errors when the workspaces cannot be asked for."""
        async with relay_connection(self._relay_url) as connection:
            await self._look(connection)

    async def _sweep_while_connected(self) -> None:
        async with relay_connection(self._relay_url) as connection:
            if self._channel:
                await connection.add_listener(self._channel, self._wake)
            while True:
                self._woken.clear()
                await self._look(connection)
                await self._wait()

    async def _look(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        times = (clock.now(),) if "$1" in self._query else ()
        for row in await connection.fetch(self._query, *times):
            await self._do(row["workspace_id"])

    async def _do(self, workspace_id: str) -> None:
        try:
            for _ in range(_MOST_STEPS):
                if not await self._step(workspace_id):
                    return
            self._wake()
        except (*DATABASE_ERRORS, Problem) as error:
            # One workspace's trouble keeps no other from its turn.
            log.warning("sweep failed", sweep=self._name, workspace=workspace_id, error=str(error))

    async def _wait(self) -> None:
        # Not asyncio.wait_for: up to Python 3.11 it loses a cancellation that comes with what it waits for.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._woken.wait()

    def _wake(self, *_: Any) -> None:
        self._woken.set()
