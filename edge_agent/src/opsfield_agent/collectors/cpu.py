"""cpu.used_percent: of all cores together, since the last look. cpu.load_1m, _5m, _15m: where the system has them."""

import os
from collections.abc import Iterator
from typing import Any

import psutil

from opsfield_agent.collectors.metric import metric


class Cpu:
    """Remembers the times of the last look."""

    def __init__(self) -> None:
        self._before = _times()

    def __call__(self) -> Iterator[dict[str, Any]]:
        before, self._before = self._before, _times()
        idle, total = (now - then for now, then in zip(self._before, before, strict=True))
        if total > 0:
            yield metric("cpu.used_percent", min(100.0, max(0.0, 100.0 * (1 - idle / total))))
        if hasattr(os, "getloadavg"):
            for minutes, load in zip((1, 5, 15), os.getloadavg(), strict=True):
                yield metric(f"cpu.load_{minutes}m", load)


def _times() -> tuple[float, float]:
    """Seconds that all cores together were idle, and in total."""
    times = psutil.cpu_times()
    # Time as a guest is in the user's time already.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return times.idle + getattr(times, "iowait", 0.0), total
