"""What is measured of the machine. A collector is a function that yields what it sees now.

Those that measure rates are objects, which remember what they saw before.
"""

from collections.abc import Callable, Iterable
from typing import Any

from opsfield_agent.collectors.cpu import Cpu
from opsfield_agent.collectors.disk import disk
from opsfield_agent.collectors.host import host
from opsfield_agent.collectors.memory import memory
from opsfield_agent.collectors.network import Network

Collector = Callable[[], Iterable[dict[str, Any]]]


def collectors() -> dict[str, Collector]:
    """One of each, by the names that policies have for them."""
    return {"cpu": Cpu(), "memory": memory, "disk": disk, "network": Network(), "host": host}
