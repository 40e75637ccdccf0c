"""The programme: everybody at work in three workspaces, anything fails for so many minutes at half load, then the books
are checked.

make test-faults SEED=1 MINUTES=30 [KAFKA=apache]
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from devstack.environment import HOST
from devstack.layout import GATEWAY, SERVICES, module
from devstack.ports import free_ports
from devstack.stack import Stack
from tests.agents import Fleet
from tests.faults.storm import books as checked
from tests.faults.storm.faults import Faults
from tests.faults.storm.load import Books, Load, Pace
from tests.faults.storm.proxy import Proxy
from tests.platform import Platform

WORKSPACES = ("storm-a", "storm-b", "storm-c")
_MOST_FULL_SECONDS = 30.0
_QUICK = {"integrations": {"JOB_LEASE_SECONDS": "3"}}


class StormStack(Stack):
    """A stack whose services reach their databases, and each other, through proxies."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        ports = free_ports(HOST, [f"{service} {place}" for service in SERVICES for place in ("database", "calls")])
        self.proxies = {
            service: (
                Proxy(ports[f"{service} database"], lambda: _place(self.database_address)),
                Proxy(ports[f"{service} calls"], lambda service=service: _place(self.address(service))),  # type: ignore[misc]
            )
            for service in SERVICES
        }

    async def __aenter__(self) -> Self:
        for pair in self.proxies.values():
            for proxy in pair:
                await proxy.start()
        return await super().__aenter__()

    async def __aexit__(self, *exception: Any) -> None:
        await super().__aexit__(*exception)
        for pair in self.proxies.values():
            for proxy in pair:
                await proxy.stop()

    def environment(self, name: str) -> dict[str, str]:
        found = super().environment(name)
        for service, (_, calls) in self.proxies.items():
            if service != name:
                found[f"{module(service).upper()}_ADDRESS"] = calls.address
        if name != GATEWAY:
            found["DATABASE_URL"] = _through(found["DATABASE_URL"], self.proxies[name][0])
            found["DATABASE_RELAY_URL"] = _through(found["DATABASE_RELAY_URL"], self.proxies[name][0])
        return found


def run(folder: Path, *, seed: int, minutes: float, report: Callable[[str], None]) -> dict[str, int]:
    """Counts of what was done and of what went wrong on the way. Raises AssertionError when the books do not add up."""
    with Platform(folder, extra_env=_QUICK, stack=StormStack) as platform, ExitStack() as opened:
        assert isinstance(platform.stack, StormStack)
        fleet, books, over, pace = opened.enter_context(Fleet(platform)), Books(), threading.Event(), Pace()
        loads = [opened.enter_context(Load(platform, fleet, books, name, over, pace)) for name in WORKSPACES]
        faults = Faults(platform, platform.stack.proxies, seed)
        workers = [worker for load in loads for worker in load.workers()]
        with ThreadPoolExecutor(len(workers)) as threads:
            working = [threads.submit(worker) for worker in workers]
            try:
                full = pace.halve(books, seconds=min(_MOST_FULL_SECONDS, 10 * minutes))
                report(f"full load: {full:.0f} requests/s; half of it from now on, and faults")
                faults.run(time.monotonic() + 60 * minutes, report)
            finally:
                over.set()
            for each in working:
                each.result()
        report(f"{faults.told.total()} faults; the books are checked")
        found = checked.check(platform, books, loads)
        return {**_by_kind(faults.told), **found}


def _by_kind(told: Counter[str]) -> dict[str, int]:
    return {"faults": told.total(), **{f"faults: {kind}": count for kind, count in sorted(told.items())}}


def _through(url: str, proxy: Proxy) -> str:
    return url.replace(urlsplit(url).netloc.rpartition("@")[2], proxy.address)


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
