"""host.uptime_seconds, host.processes, host.users (how many different users are logged in)."""

from collections.abc import Iterator
from typing import Any

import psutil

from opsfield_agent.collectors.metric import metric
from opsfield_agent.inventory import uptime_seconds


def host() -> Iterator[dict[str, Any]]:
    """Counts of now."""
    yield metric("host.uptime_seconds", uptime_seconds())
    yield metric("host.processes", len(psutil.pids()))
    yield metric("host.users", len({each.name for each in psutil.users()}))
