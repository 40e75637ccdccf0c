"""One worker process, as the service holds it."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
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

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        ended: "asyncio.Future[int]",
        requests: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
    ) -> None:
        self._process = process
        self._ended = ended
        self._requests = requests
        self._answers = answers

    @classmethod
    async def start(cls, memory_mb: int, modules: Sequence[str] = ()) -> "WorkerProcess":
        """Raises WorkerLost when it does not become ready, OSError when it cannot be started."""
        process = _spawn([sys.executable, "-m", _MODULE, str(os.getpid()), str(memory_mb), *modules])
        ended = _end_of(process)
        worker = cls(process, ended, await _writer(process), await _reader(process))
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
            if await self.gone() == OUT_OF_MEMORY or kernel.out_of_memory_kills() > killed_before:
                raise OutOfMemory from None
            raise

    async def gone(self) -> int:
        """The exit code, once the process has ended; the negative number of the signal that ended it."""
        return await asyncio.shield(self._ended)

    async def kill(self) -> None:
        """Returns when the process is gone."""
        # Nothing happens when it has ended: its number may be another's by now.
        self._process.kill()
        await self.gone()
        self._requests.close()

    async def _receive(self) -> Json:
        try:
            return await frames.receive(self._answers)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            code = await self.gone()
            raise WorkerLost(f"it ended with code {code}" if code >= 0 else f"signal {-code} ended it") from error


def _spawn(command: list[str]) -> "subprocess.Popen[bytes]":
    """Not by the event loop, which forks: of a process with gRPC's threads only vfork is safe, and quiet."""
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(), bufsize=0, close_fds=True
    )


def _end_of(process: "subprocess.Popen[bytes]") -> "asyncio.Future[int]":
    """The exit code to come. A thread waits for it: it costs nothing, and misses none."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def tell(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    def wait() -> None:
        code = process.wait()
        # The loop may be gone before the process is.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, code)

    threading.Thread(target=wait, name=f"worker-{process.pid}", daemon=True).start()
    return ended


async def _writer(process: "subprocess.Popen[bytes]") -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    assert process.stdin is not None
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, process.stdin)
    return asyncio.StreamWriter(transport, protocol, None, loop)


async def _reader(process: "subprocess.Popen[bytes]") -> asyncio.StreamReader:
    assert process.stdout is not None
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
    return reader


def _environment() -> dict[str, str]:
    """Nothing of the service's own: no addresses, no keys, no passwords. Just where the code is."""
    folders = (str(Path(each).resolve()) for each in dict.fromkeys(sys.path) if Path(each).is_dir())
    return {
        "PYTHONPATH": os.pathsep.join(folders),
        "LANG": "C.UTF-8",
        # Each thread's arena reserves 64 MiB of addresses, which count as memory.
        "MALLOC_ARENA_MAX": "2",
    }
