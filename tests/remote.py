"""A platform that runs already, on Docker Compose or in a cluster, instead of one that the tests start.

    OPSFIELD_URL                where its gateway is: http://127.0.0.1:8080
    OPSFIELD_JWT_SECRET_FILE    a file with the secret that its bearer tokens are signed with (JWT_DEV_SECRET)
    OPSFIELD_KAFKA              host:port of its Kafka, as reached from here (optional)
    OPSFIELD_TESTS_HOST         this machine's address, as the platform reaches it (optional)

What a test asks of it that only a platform on this machine can give (its processes, its databases, its logs), and what
the optional ones would be needed for, skips the test and says why. Its rate limit must be off.
"""

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, cast

import pytest

from devstack import tokens
from devstack.stack import Stack
from tests.platform import Platform


class RemotePlatform(Platform):
    """The platform that the environment names."""

    def __init__(self, url: str) -> None:
        # Not the inherited one, which would make a stack.
        self.stack = cast("Stack", RemoteStack(url))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def start(self, name: str, extra_env: Mapping[str, str] | None = None) -> NoReturn:
        _cannot("start a program")

    def stop(self, name: str) -> NoReturn:
        _cannot("stop a program")

    def kill(self, name: str) -> NoReturn:
        _cannot("kill a program")


class RemoteStack:
    """As much of a `Stack` as can be had from outside."""

    def __init__(self, url: str) -> None:
        self.base_url = url.rstrip("/")
        self._secret = Path(os.environ["OPSFIELD_JWT_SECRET_FILE"]).read_text().strip()

    def token(self, roles: Sequence[str] = ("ops_engineer",), workspaces: Any = ("demo",), **claims: Any) -> str:
        """As `Stack.token`."""
        return tokens.issue(self._secret, roles, workspaces, **{"client": None, "agent": None, **claims})

    @property
    def kafka_bootstrap(self) -> str:
        return os.environ.get("OPSFIELD_KAFKA") or _cannot("reach Kafka")

    def __getattr__(self, name: str) -> NoReturn:
        _cannot(f"have the stack's {name}")


def _cannot(do: str) -> NoReturn:
    pytest.skip(f"needs a platform on this machine, to {do}")
