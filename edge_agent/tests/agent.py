"""The agent as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LAUNCHER = Path(__file__).with_name("launch.py")
SOURCE = Path(__file__).parents[1] / "src"

# Fast enough for a test: the shortest intervals and pauses.
FAST = {"policy.SHORTEST_SECONDS": "0.02", "backoff._FIRST_SECONDS": "0.05"}


class Agent:
    """Runs commands on one state directory; `set` changes constants of the program."""

    def __init__(self, state_dir: Path, **wishes: Any) -> None:
        self.state_dir = state_dir
        self.wishes = wishes
        self._started: list[subprocess.Popen[str]] = []

    def with_wishes(self, **wishes: Any) -> "Agent":
        """The same with other wishes."""
        other = Agent(self.state_dir, **wishes)
        other._started = self._started
        return other

    def end_all(self) -> None:
        """Kill what a failed test left behind."""
        for process in self._started:
            process.kill()
            process.wait()

    def command(self, *arguments: str, seconds: float = 30, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self._line(*arguments),
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            input=stdin,
            check=False,
        )

    def enroll(self, url: str, token: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Enroll, without waiting for a platform that does not answer."""
        return self.command("enroll", "--url", url, "--token", token, "--wait", "0", *options)

    def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        found: dict[str, Any] = json.loads(self.command("status", "--json").stdout)
        return found

    def start(self, *options: str) -> "subprocess.Popen[str]":
        """`run`, in the background; its log goes to `log`."""
        with self.log_path.open("a") as log:
            process = subprocess.Popen(
                self._line("run", "--log-level", "debug", *options), env=self._environment(), stderr=log, text=True
            )
        self._started.append(process)
        return process

    @contextmanager
    def running(self, *options: str) -> "Iterator[subprocess.Popen[str]]":
        """`run` for the length of the block; it is stopped by SIGTERM and must end well."""
        process = self.start(*options)
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, self.log()

    @property
    def log_path(self) -> Path:
        return self.state_dir.with_name(f"{self.state_dir.name}.log")

    def log(self) -> str:
        """All that `run` has logged."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def _line(self, *arguments: str) -> list[str]:
        command, *rest = arguments
        return [
            sys.executable,
            str(LAUNCHER),
            json.dumps(self.wishes),
            command,
            "--state-dir",
            str(self.state_dir),
            *rest,
        ]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "error"}


def until(is_so: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until it is so; fail when it takes too long."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)
