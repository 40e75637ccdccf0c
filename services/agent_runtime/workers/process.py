"""One worker process, as the service holds it."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.agent_runtime.workers import frames, kernel
from services.agent_runtime.workers.worker import OUT_OF_MEMORY

_MODULE = "services.agent_runtime.workers.worker"
_START_SECONDS = 30.0

Json = dict[str, Any]


class WorkerLost(Exception):
    """The process ended before it answered; says how."""


class OutOfMemory(Exception):
    """The process ended since it had used up its memory."""


class WorkerProcess:
    """Made with `start`. It answers one request at a time; after an error, or a cancellation, it is of no more use."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._requests = process.stdin
        self._answers = process.stdout

    @classmethod
    async def start(cls, memory_mb: int, modules: Sequence[str] = ()) -> "WorkerProcess":
        """Raises WorkerLost when it does not become ready, OSError when it cannot be started."""
        command = [sys.executable, "-m", _MODULE, str(os.getpid()), str(memory_mb), *modules]
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=_environment())
        worker = cls(process)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await worker._receive()
        except TimeoutError as error:
            await worker.kill()
            raise WorkerLost("it did not become ready in time") from error
        except BaseException:
            await worker.kill()
            raise
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, request: Json) -> Json:
        """Raises WorkerLost, OutOfMemory, frames.TooLong."""
        killed_before = kernel.out_of_memory_kills()
        try:
            self._requests.write(frames.pack(request))
            with contextlib.suppress(ConnectionError):
                await self._requests.drain()
            return await self._receive()
        except WorkerLost:
            if self._process.returncode == OUT_OF_MEMORY or kernel.out_of_memory_kills() > killed_before:
                raise OutOfMemory from None
            raise

    async def gone(self) -> None:
        """Returns once the process has ended."""
        await self._process.wait()

    async def kill(self) -> None:
        """Returns when the process is gone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _receive(self) -> Json:
        try:
            return await frames.receive(self._answers)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            code = await self._process.wait()
            raise WorkerLost(f"it ended with code {code}" if code >= 0 else f"signal {-code} ended it") from error


def _environment() -> dict[str, str]:
    """Nothing of the service's own: no addresses, no keys, no passwords. Just where the code is."""
    folders = (str(Path(each).resolve()) for each in dict.fromkeys(sys.path) if Path(each).is_dir())
    return {
        "PYTHONPATH": os.pathsep.join(folders),
        "LANG": "C.UTF-8",
        # Each thread's arena reserves 64 MiB of addresses, which count as memory.
        "MALLOC_ARENA_MAX": "2",
    }
