"""A fixed number of worker processes, each used again and again, and replaced when it is gone."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from kit.logs import get_logger
from services.agent_runtime.workers.process import WorkerLost, WorkerProcess

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0

Json = dict[str, Any]

log = get_logger(__name__)


class WorkerPool:
    """`serve()` keeps the processes until it is cancelled; `ask()` uses one. `modules`: further ones of reasoners."""

    def __init__(self, size: int, *, memory_mb: int, modules: Sequence[str] = ()) -> None:
        self.size = size
        self._memory_mb = memory_mb
        self._modules = modules
        self._alive: set[WorkerProcess] = set()
        self._idle: asyncio.LifoQueue[WorkerProcess] = asyncio.LifoQueue()

    @property
    def workers(self) -> int:
        """Processes that are ready or at work."""
        return len(self._alive)

    @property
    def busy(self) -> int:
        return len(self._alive) - self._idle.qsize()

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self._alive]

    async def serve(self) -> None:
        """Never returns; by the time it is cancelled, all processes are gone."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.size):
                group.create_task(self._keep_one())

    async def ask(self, request: Json) -> Json:
        """A worker's answer. Raises WorkerLost, OutOfMemory, frames.TooLong. Cancelled, the worker is killed, and gone
        by the time this returns."""
        worker = await self._take()
        try:
            answer = await worker.ask(request)
        except BaseException:
            await asyncio.shield(worker.kill())
            raise
        self._idle.put_nowait(worker)
        return answer

    async def _take(self) -> WorkerProcess:
        # One may have ended while it was idle.
        while (worker := await self._idle.get()) not in self._alive:
            pass
        return worker

    async def _keep_one(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                worker = await WorkerProcess.start(self._memory_mb, self._modules)
            except (WorkerLost, OSError) as error:
                log.error("worker cannot start", reason=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            await self._until_gone(worker)

    async def _until_gone(self, worker: WorkerProcess) -> None:
        self._alive.add(worker)
        self._idle.put_nowait(worker)
        try:
            await worker.gone()
            log.warning("worker is gone; another takes its place", pid=worker.pid)
        finally:
            self._alive.discard(worker)
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(worker.kill())
