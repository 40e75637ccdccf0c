"""What the whole platform needs to be there: seconds from the command to its being ready, on an empty folder and on one
that is full; and memory and processor time while nobody asks anything of it.

Beside the start stands that of PostgreSQL and Kafka alone. Memory is what the kernel counts as proportional (PSS):
pages that programs share count once.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.figures import Figure
from bench.options import Options
from bench.processor_time import of_tree, tree
from devstack.stack import Stack

_SETTLING_SECONDS, _IDLE_SECONDS = 10.0, 15.0
_AIM_SECONDS, _AIM_MEGABYTES = 10, 900


@asynccontextmanager
async def _platform(folder: Path, *options: str) -> AsyncIterator[tuple[float, int]]:
    """What `make run` starts: how many seconds it took to be ready, and its process id."""
    environment = {**os.environ, "OPSFIELD_DATA": str(folder), "OPSFIELD_PORT": "0"}
    began = time.perf_counter()
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "devstack", "run", *options, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert program.stdout is not None
    try:
        while b"Opsfield is ready" not in (line := await program.stdout.readline()):
            assert line, "the platform did not start"
        yield time.perf_counter() - began, program.pid
    finally:
        program.send_signal(signal.SIGINT)
        await program.communicate()


async def _alone(folder: Path) -> float:
    began = time.perf_counter()
    async with Stack(folder, services=(), gateway=False):
        return time.perf_counter() - began


def _megabytes(pid: int) -> float:
    return sum(float(each.memory_full_info().pss) for each in tree(pid)) / 1e6


async def figures(options: Options) -> list[Figure]:
    first, filled, again, first_alone, again_alone = (list[float]() for _ in range(5))
    memory, idle = list[float](), list[float]()
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="opsfield-bench-") as folder:
            whole, alone = Path(folder, "whole"), Path(folder, "alone")
            async with _platform(Path(folder, "empty"), "--no-demo") as (seconds, _pid):
                first.append(seconds)
            async with _platform(whole) as (seconds, _pid):
                filled.append(seconds)
            first_alone.append(await _alone(alone))
            async with _platform(whole) as (seconds, pid):
                again.append(seconds)
                await asyncio.sleep(_SETTLING_SECONDS)
                used = of_tree(pid)
                await asyncio.sleep(_IDLE_SECONDS)
                idle.append((of_tree(pid) - used) / _IDLE_SECONDS * 100)
                memory.append(_megabytes(pid))
            again_alone.append(await _alone(alone))
    beside = "PostgreSQL and Kafka"
    return [
        Figure("footprint", "first start, without the demo", "s", first, less_is_better=True, aim=_AIM_SECONDS),
        Figure("footprint", "first start, with demo", "s", filled, beside, first_alone, less_is_better=True),
        Figure("footprint", "next start", "s", again, beside, again_alone, less_is_better=True),
        Figure("footprint", "memory, idle", "MB", memory, less_is_better=True, aim=_AIM_MEGABYTES),
        Figure("footprint", "processor, idle", "% of core", idle, less_is_better=True),
    ]
