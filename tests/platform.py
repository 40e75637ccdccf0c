"""A running platform and a client of its HTTP API, for tests. Nothing here imports the platform's own code but the
stack that starts it: what is seen is what a user sees."""

import asyncio
import itertools
import os
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import pytest

from devstack.layout import SERVICES
from devstack.stack import Stack

T = TypeVar("T")

_numbers = itertools.count(1)
# Lets a test run make as many requests as it likes.
NO_RATE_LIMIT = {"RATE_LIMIT_PER_MINUTE": "0"}


class Platform:
    """A `Stack` on a thread of its own, so that tests can be plain functions."""

    def __init__(
        self,
        data_dir: Path,
        *,
        services: Sequence[str] = SERVICES,
        extra_env: Mapping[str, Mapping[str, str]] | None = None,
        replicas: int = 1,
    ) -> None:
        if remote_url():
            pytest.skip("starts a platform of its own on this machine")
        variables = {"gateway": NO_RATE_LIMIT, **(extra_env or {})}
        self.stack = Stack(data_dir, services=services, extra_env=variables, replicas=replicas)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self.stack.__aenter__(), 180)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self.stack.__aexit__(kind, error, trace), 120)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def start(self, name: str, extra_env: Mapping[str, str] | None = None) -> None:
        self.run(self.stack.start(name, {} if extra_env is None else extra_env))

    def stop(self, name: str) -> int | None:
        return self.run(self.stack.stop(name))

    def kill(self, name: str) -> int:
        return self.run(self.stack.kill(name))

    def wait(self, name: str) -> int:
        """Wait for a program to end by itself: its exit code."""
        return self.run(self.stack.wait(name))

    def restart(self, name: str, extra_env: Mapping[str, str] | None = None) -> None:
        self.stop(name)
        self.start(name, extra_env)

    def api(
        self,
        roles: Sequence[str] = ("ops_engineer",),
        *,
        workspace: str | None = None,
        subject: str | None = None,
        **claims: Any,
    ) -> "Api":
        """A client with a token for `workspace` (a new one when None)."""
        workspace = workspace or f"test-{next(_numbers)}-{uuid.uuid4().hex[:8]}"
        token = self.stack.token(roles, (workspace,), subject=subject, **claims)
        return Api(self.stack.base_url, token, workspace)

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 90) -> T:
        """What a coroutine comes to, on the stack's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)


class Api:
    """Requests as one person in one workspace; mutations get an idempotency key unless one is given."""

    def __init__(self, base_url: str, token: str, workspace: str) -> None:
        headers = {"authorization": f"Bearer {token}", "x-workspace-id": workspace}
        self._http = httpx.Client(base_url=f"{base_url}/api/v1", headers=headers, timeout=30)
        self.workspace = workspace

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        headers: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """`options` are httpx's: `json`, `content`, `params`."""
        sent = dict(headers or {})
        if method != "GET":
            sent.setdefault("idempotency-key", key or new_key())
        return self._http.request(method, path, headers=sent, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> httpx.Response:
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> httpx.Response:
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", path, **options)

    def new_client(self, **fields: Any) -> dict[str, Any]:
        """Create a client."""
        body = {"name": f"Client {uuid.uuid4().hex[:8]}", **fields}
        return self._created(self.post("/clients", json=body))

    def new_ticket(self, **fields: Any) -> dict[str, Any]:
        """Create a ticket, of a new client unless one is named."""
        if "clientId" not in fields:
            fields["clientId"] = self.new_client()["id"]
        return self._created(self.post("/tickets", json={"subject": "Printer on fire", **fields}))

    def _created(self, response: httpx.Response) -> dict[str, Any]:
        assert response.status_code == 201, response.text
        body: dict[str, Any] = response.json()
        return body


def remote_url() -> str:
    """Where a platform runs already, as tests/remote.py has it; empty when the tests start one."""
    return os.environ.get("OPSFIELD_URL", "")


def own_host() -> str:
    """This machine's address, as the platform reaches it. Skips the test where it does not."""
    if not remote_url():
        return "127.0.0.1"
    return os.environ.get("OPSFIELD_TESTS_HOST") or pytest.skip("needs a platform that can reach this machine")


def new_key() -> str:
    return f"key-{uuid.uuid4()}"


def eventually(condition: Callable[[], T], *, seconds: float = 20) -> T:
    """The first true answer of `condition`, asked again and again; its failure after that long."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answer := condition():
                return answer
            failure: Exception = AssertionError(f"{condition} stayed {answer!r}")
        except (AssertionError, httpx.TransportError) as error:
            failure = error
        if time.monotonic() > deadline:
            raise failure
        time.sleep(0.05)


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is a problem of that kind, with a correlation id."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["correlationId"] == response.headers["x-correlation-id"]
    assert "Traceback" not in response.text
    return problem
