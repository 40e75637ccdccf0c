"""Calls that only another service may make, with that service's own identity. `await` them in a test's own loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from kit.calls import Services
from kit.identity import TokenSigner
from kit.platform_client import PlatformClient
from tests.platform import Platform

T = TypeVar("T")


def as_service(platform: Platform, name: str, ask: Callable[[PlatformClient], Awaitable[T]]) -> T:
    """What the platform service answers to the service `name`."""

    async def run() -> T:
        signer = TokenSigner.from_file(name, platform.stack.layout.key(name))
        services = Services({"platform": platform.stack.address("platform")}, signer, timeout=10)
        try:
            return await ask(PlatformClient(services, name))
        finally:
            await services.close()

    return asyncio.run(run())


def secret_value(platform: Platform, name: str, workspace: str, key: str) -> str:
    """A secret's value, as the service `name` gets it."""
    return as_service(platform, name, lambda client: client.fetch_secret(workspace, key)).value
