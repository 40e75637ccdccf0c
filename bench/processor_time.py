"""What each program of a stack costs in processor time: it depends less than a rate on what else the machine does."""

import contextlib
import os

import psutil

from devstack.layout import GATEWAY, KAFKA, POSTGRES
from devstack.stack import Stack


def processor_seconds(stack: Stack) -> dict[str, float]:
    """Seconds of processor time that each program has used so far, with its child processes; `bench` is this one."""
    names = [*stack.services, GATEWAY, KAFKA]
    used = {name: of_tree(stack.pid(name)) for name in names}
    # Its connections end with it and take their time along: what counts is the group as the kernel adds it up.
    used[POSTGRES] = of_tree(stack.pid(POSTGRES))
    used["bench"] = _of(psutil.Process(os.getpid()))
    return used


def told(before: dict[str, float], after: dict[str, float], count: int) -> str:
    """Milliseconds of each program for one of `count`, the costliest first."""
    spent = {name: (after[name] - before[name]) * 1000 / count for name in after}
    parts = [f"{name} {spent[name]:.2f}" for name in sorted(spent, key=lambda name: -spent[name])]
    return f"{sum(spent.values()):.2f} ms of processor time each: {', '.join(parts)}"


def tree(pid: int) -> list[psutil.Process]:
    """A process and all that it has started, as far down as it goes."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def of_tree(pid: int) -> float:
    """Seconds of processor time that a process and all that it has started have used so far."""
    return sum(_of(each) for each in tree(pid))


def _of(process: psutil.Process) -> float:
    """With what children of it that have ended had used."""
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)
    return 0.0
