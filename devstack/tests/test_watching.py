"""Programs that end by themselves are started again."""

import asyncio
import os
import sys
from pathlib import Path

from devstack.layout import StackError
from devstack.supervisor import Child
from devstack.watching import Watches


class Programs:
    """One, whose every process is a new one: the first two end by themselves, and the second cannot be made ready."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.processes: list[Child] = []

    def latest(self, name: str) -> Child:
        return self.processes[-1]

    async def start(self, name: str) -> None:
        seconds = 0 if len(self.processes) < 2 else 60
        command = [sys.executable, "-c", f"import time; time.sleep({seconds})"]
        self.processes.append(Child(name, command, dict(os.environ), self.log))
        await self.processes[-1].start()
        if len(self.processes) == 2:
            raise StackError("x did not become ready.")


async def test_it_is_started_again_until_it_lasts(tmp_path: Path) -> None:
    programs, told = Programs(tmp_path / "log"), list[str]()
    watches = Watches(programs.latest, programs.start, told.append)
    await programs.start("x")
    watches.begin("x")
    async with asyncio.timeout(60):
        while "x is running again" not in told:
            await asyncio.sleep(0.05)
    assert told[1] == "x did not become ready."
    assert len(programs.processes) == 3
    await watches.end("x")
    await programs.latest("x").kill()
    assert len(programs.processes) == 3
    assert not programs.latest("x").running
