"""Two replicas of every program, restarted one after the other under load: no request fails, none is done twice."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from devstack.layout import GATEWAY, SERVICES, instances
from tests.platform import NO_RATE_LIMIT, Api, Platform

REPLICAS = 2
# How many replicas of each are restarted; ROLLED=2 is all of them.
ROLLED = int(os.environ.get("ROLLED", "1"))
# Between them, all programs have no more connections than the database server.
SMALL = {"DATABASE_POOL_SIZE": "4", "DRAIN_SECONDS": "1"}


class Balancer:
    """Gives requests to the gateways in turn, and to none that is being stopped: what a load balancer does with a
    replica that is not ready any more."""

    def __init__(self, platform: Platform) -> None:
        self._urls = {name: platform.stack.gateway_url(name) for name in instances(GATEWAY, REPLICAS)}
        self._in_flight = dict.fromkeys(self._urls, 0)
        self._out: set[str] = set()
        self._changed = threading.Condition()

    @contextmanager
    def gateway(self) -> Iterator[str]:
        """The URL of the one that is least busy."""
        with self._changed:
            name = min(set(self._urls) - self._out, key=lambda each: self._in_flight[each])
            self._in_flight[name] += 1
        try:
            yield self._urls[name]
        finally:
            with self._changed:
                self._in_flight[name] -= 1
                self._changed.notify_all()

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Once it has nothing in flight, until the end of the block."""
        with self._changed:
            self._out.add(name)
            assert self._changed.wait_for(lambda: not self._in_flight[name], 60)
        try:
            yield
        finally:
            with self._changed:
                self._out.discard(name)


@pytest.fixture(scope="module")
def doubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Two of everything."""
    variables = {**dict.fromkeys(SERVICES, SMALL), GATEWAY: NO_RATE_LIMIT}
    with Platform(tmp_path_factory.mktemp("doubled"), extra_env=variables, replicas=REPLICAS) as running:
        yield running


class Load:
    """Tickets made, changed and read, and what of it went wrong."""

    def __init__(self, platform: Platform, balancer: Balancer) -> None:
        self._balancer = balancer
        self._over = threading.Event()
        self._platform = platform
        self.wrong: list[str] = []
        self.made = 0

    def stop(self) -> None:
        self._over.set()

    def run(self, workspace: str) -> None:
        with self._platform.api(workspace=workspace) as first:
            client = first.new_client()["id"]
        urls = {}
        while not self._over.is_set():
            with self._balancer.gateway() as url:
                if url not in urls:
                    token = self._platform.stack.token(("msp_admin",), (workspace,))
                    urls[url] = Api(url, token, workspace)
                self._turn(urls[url], client)
            time.sleep(0.01)
        for each in urls.values():
            each.__exit__()

    def _turn(self, api: Api, client: str) -> None:
        made = api.post("/tickets", json={"subject": "Under way", "clientId": client})
        if made.status_code != 201:
            self.wrong.append(made.text)
            return
        self.made += 1
        for answer in (
            api.patch(f"/tickets/{made.json()['id']}", json={"priority": "high"}),
            api.get("/tickets", params={"limit": 5}),
            api.get("/dashboard/summary"),
            api.get("/workflow-executions"),
            api.get("/workspace/settings"),
        ):
            if answer.status_code != 200:
                self.wrong.append(f"{answer.request.method} {answer.request.url.path}: {answer.text}")


def test_a_restart_of_everything_loses_no_request(doubled: Platform) -> None:
    balancer = Balancer(doubled)
    load, workspace = Load(doubled, balancer), "rolling"
    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(load.run, workspace) for _ in range(3)]
        try:
            for number in range(ROLLED):
                for program in (*SERVICES, GATEWAY):
                    name = instances(program, REPLICAS)[number]
                    if program == GATEWAY:
                        with balancer.without(name):
                            doubled.restart(name)
                    else:
                        doubled.restart(name)
        finally:
            load.stop()
        for each in running:
            each.result(60)
    assert not load.wrong, f"{len(load.wrong)} of about {load.made * 6}: {load.wrong[:5]}"
    assert load.made > 10
    with doubled.api(workspace=workspace) as api:
        assert api.get("/tickets", params={"limit": 1}).json()["page"]["total"] == load.made
