"""One child process: started, watched, stopped, never left behind."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from devstack.layout import REPOSITORY, StackError

LAUNCHER = Path(__file__).with_name("child.py")


class Child:
    """A program in a process group of its own that ends with this process, its output going to a log file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_seconds: float = 20.0,
    ) -> None:
        """`command` starts with an absolute path; `stop_signal` asks it to end, which may take `stop_seconds`."""
        self.name = name
        self.command = list(command)
        self.environment = dict(environment)
        self.log = log
        self._user = user
        self._stop_signal = stop_signal
        self._stop_seconds = stop_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._swept: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process id. Raises StackError when it was never started."""
        if self._process is None:
            raise StackError(f"{self.name} was not started.")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there now."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the process; it is there when this returns, though not yet ready. Raises StackError if it runs."""
        if self.running:
            raise StackError(f"{self.name} is running already, as process {self.pid}.")
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER)]
        arguments = [str(os.getpid()), str(int(self._stop_signal)), self._user or "-", *self.command]
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *launcher,
                *arguments,
                cwd=REPOSITORY,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )

    async def wait(self) -> int:
        """The exit code, once the process has ended; the negative number of the signal that ended it."""
        if self._process is None:
            raise StackError(f"{self.name} was not started.")
        process = self._process
        code = await process.wait()
        if process is not self._swept:
            # What it started itself, such as the workers of a web server, ends with it.
            self._swept = process
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return code

    async def stop(self) -> int | None:
        """Ask the process to end and wait; past its time, kill it. None when it was never started."""
        if self._process is None:
            return None
        self.signal(self._stop_signal)
        try:
            return await asyncio.wait_for(self.wait(), self._stop_seconds)
        except TimeoutError:
            return await self.kill()

    async def kill(self, with_signal: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal that ends the process, to it and all that it started, and wait for its end."""
        if self.running:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, with_signal)
        return await self.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone; nothing happens when it has ended."""
        if self.running and self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def last_words(self, lines: int = 15) -> str:
        """The end of its log, indented, to show beside what went wrong."""
        with suppress(OSError):
            tail = self.log.read_text(errors="replace").splitlines()[-lines:]
            return "\n".join(f"    {line}" for line in tail)
        return ""


def describe_end(code: int) -> str:
    """What an exit code says, for a sentence: 'ended with code 1' or 'was ended by SIGKILL'."""
    if code >= 0:
        return f"ended with code {code}"
    return f"was ended by {signal.Signals(-code).name}"


async def together(*steps: Coroutine[object, object, None]) -> None:
    """Run steps side by side; the first one that fails ends the others and its error is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(step)
    except* StackError as errors:
        first = errors.exceptions[0]
    else:
        return
    raise first
