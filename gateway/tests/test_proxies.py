"""Behind a proxy a caller's address is the one that the proxy tells, and none that the caller does."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway import app
from gateway.__main__ import _config
from gateway.settings import Settings
from gateway.tests.fake_service import FakeService
from opsfield.portal.v1.sessions_pb2 import NewSession

PROXY, OUTER_PROXY, STRANGER = "10.0.7.1", "192.0.2.9", "198.51.100.1"
ALICE, BOB = "203.0.113.1", "203.0.113.2"
# By peer and the values of X-Forwarded-For; the status.
SignIn = Callable[..., Awaitable[int]]


@pytest_asyncio.fixture
async def sign_in(settings: Settings, services: dict[str, FakeService]) -> AsyncIterator[SignIn]:
    """At a gateway where each address may do so once a minute."""
    services["portal"].answers = {"ExchangeSession": lambda _: NewSession()}
    trusting: dict[str, Any] = settings.model_dump() | {
        "rate_limit_per_minute": 1,
        "trusted_proxies": f"10.0.0.0/8, {OUTER_PROXY}",
    }
    settings = Settings(**trusting)
    gateway = app.create(settings)
    config = _config(gateway, settings)
    config.load()

    async def ask(peer: str, *forwarded: str) -> int:
        transport = httpx.ASGITransport(app=config.loaded_app, client=(peer, 4000))
        headers = [("idempotency-key", "k"), *(("x-forwarded-for", each) for each in forwarded)]
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as client:
            body = {"token": f"demo.{'a' * 43}"}
            return (await client.post("/api/v1/portal/session/exchange", json=body)).status_code

    yield ask
    await gateway.close()


async def test_who_comes_through_a_proxy_is_counted_by_the_address_that_it_tells(sign_in: SignIn) -> None:
    assert [await sign_in(PROXY, each) for each in (ALICE, BOB, ALICE)] == [201, 201, 429]
    # Whatever way it comes.
    assert await sign_in("10.9.9.9", f"{ALICE}:4711") == 429
    assert await sign_in(BOB) == 429


async def test_through_several_proxies_it_is_the_last_that_is_none(sign_in: SignIn) -> None:
    assert await sign_in(PROXY, f"{ALICE}, {OUTER_PROXY}") == 201
    assert await sign_in(PROXY, BOB, OUTER_PROXY) == 201
    assert await sign_in(OUTER_PROXY, ALICE) == 429


@pytest.mark.parametrize("said", ["203.0.113.7", "10.0.0.1", "unknown", "", ","])
async def test_who_comes_through_a_proxy_cannot_choose_an_address(sign_in: SignIn, said: str) -> None:
    assert await sign_in(PROXY, ALICE) == 201
    assert await sign_in(PROXY, f"{said}, {ALICE}") == 429
    assert await sign_in(PROXY, said, ALICE) == 429


async def test_who_is_no_proxy_is_not_believed(sign_in: SignIn) -> None:
    assert await sign_in(STRANGER, ALICE) == 201
    assert await sign_in(STRANGER, BOB) == 429
    assert await sign_in(PROXY, ALICE) == 201


def test_unless_one_is_named_there_is_no_proxy(settings: Settings, gateway: app.Gateway) -> None:
    config = _config(gateway, settings)
    config.load()
    assert config.loaded_app is gateway
