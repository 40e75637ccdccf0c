"""memory.used_percent, memory.available_bytes, swap.used_percent (where there is swap)."""

from collections.abc import Iterator
from typing import Any

import psutil

from opsfield_agent.collectors.metric import metric


def memory() -> Iterator[dict[str, Any]]:
    """What is used is what could not be had without swapping."""
    seen = psutil.virtual_memory()
    yield metric("memory.used_percent", seen.percent)
    yield metric("memory.available_bytes", seen.available)
    swap = psutil.swap_memory()
    if swap.total:
        yield metric("swap.used_percent", swap.percent)
