"""network.received_bytes_per_second, network.sent_bytes_per_second: of each interface but the loopback."""

from collections.abc import Iterator
from typing import Any

import psutil

from opsfield_agent import clock
from opsfield_agent.collectors.metric import metric

_LOOPBACK = {"lo", "lo0"}


class Network:
    """Remembers the counters of the last look."""

    def __init__(self) -> None:
        self._at = clock.steady()
        self._before = _counters()

    def __call__(self) -> Iterator[dict[str, Any]]:
        at, before = self._at, self._before
        self._at, self._before = clock.steady(), _counters()
        seconds = self._at - at
        for interface, (received, sent) in self._before.items():
            then = before.get(interface)
            # An interface that was set up anew counts from zero again.
            if then is None or seconds <= 0 or received < then[0] or sent < then[1]:
                continue
            yield metric("network.received_bytes_per_second", (received - then[0]) / seconds, interface)
            yield metric("network.sent_bytes_per_second", (sent - then[1]) / seconds, interface)


def _counters() -> dict[str, tuple[int, int]]:
    seen = psutil.net_io_counters(pernic=True)
    return {name: (each.bytes_recv, each.bytes_sent) for name, each in seen.items() if name not in _LOOPBACK}
