"""Starts programs again that end by themselves."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from devstack.layout import KAFKA, StackError
from devstack.supervisor import Child, describe_end

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
# A program that ran for so long before it ended is not one that cannot start.
SETTLED_SECONDS = 60.0


class Watches:
    """`child` is a program's latest process, `start` starts another; `report` is told each step in one line."""

    def __init__(
        self, child: Callable[[str], Child], start: Callable[[str], Awaitable[None]], report: Callable[[str], None]
    ) -> None:
        self._child = child
        self._start = start
        self._report = report
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, name: str) -> None:
        """From now on the program is started again whenever it ends."""
        self._tasks[name] = asyncio.create_task(self._watch(name))

    async def end(self, name: str) -> None:
        """The program may end, or be started by others."""
        task = self._tasks.pop(name, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.wait([task])

    def cancel(self) -> None:
        """No program is started any more."""
        for task in self._tasks.values():
            task.cancel()

    async def _watch(self, name: str) -> None:
        """The pause before each start grows while the program does not last."""
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            code = await self._child(name).wait()
            if time.monotonic() - began > SETTLED_SECONDS:
                pause = FIRST_PAUSE
            self._report(f"{name} {describe_end(code)}; it is started again in {pause:g} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                await self._start(name)
                self._report(f"{name} is running again")
            except StackError as error:
                self._report(str(error))
                # Kafka itself may be well, and the error that of a service which had to start again with it.
                if name != KAFKA:
                    await self._child(name).kill()
