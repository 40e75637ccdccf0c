"""The issuer's keys: fetched rarely, kept when the issuer is down."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.jwks import Jwks, VerificationKey
from gateway.tests.clock import Clock
from gateway.tests.issuer import Issuer, running_issuer
from gateway.tests.tokens import SigningKey
from kit.errors import Unavailable

OLD, NEW = SigningKey("old", "EdDSA"), SigningKey("new", "ES256")


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with running_issuer() as running:
        running.publish(OLD.jwk())
        yield running


@pytest_asyncio.fixture
async def jwks(issuer: Issuer, clock: Clock) -> AsyncIterator[Jwks]:
    keys = Jwks(issuer.url, clock=clock)
    yield keys
    await keys.close()


async def settled(jwks: Jwks) -> None:
    """Wait for a fetch in the background."""
    if jwks._fetching:
        await jwks._fetching


async def test_a_set_is_fetched_once_and_used_again(jwks: Jwks, issuer: Issuer) -> None:
    found = await jwks.key("old")
    assert isinstance(found, VerificationKey)
    assert found.algorithm == "EdDSA"
    assert await jwks.key("old") is found
    assert issuer.requests == 1


async def test_many_who_ask_at_once_share_one_fetch(jwks: Jwks, issuer: Issuer) -> None:
    assert all(await asyncio.gather(*(jwks.key("old") for _ in range(20))))
    assert issuer.requests == 1


async def test_a_set_is_refreshed_in_the_background_at_half_its_life(jwks: Jwks, issuer: Issuer, clock: Clock) -> None:
    await jwks.key("old")
    issuer.publish(NEW.jwk())
    clock.now += 149
    assert await jwks.key("old")
    assert issuer.requests == 1
    clock.now += 2
    assert await jwks.key("old")
    await settled(jwks)
    assert jwks.knows("new")
    assert not jwks.knows("old")


async def test_a_new_key_is_found_at_once(jwks: Jwks, issuer: Issuer, clock: Clock) -> None:
    await jwks.key("old")
    issuer.publish(OLD.jwk(), NEW.jwk())
    clock.now += 31
    assert await jwks.key("new")


async def test_unknown_keys_do_not_make_the_gateway_hammer_the_issuer(jwks: Jwks, issuer: Issuer, clock: Clock) -> None:
    await jwks.key("old")
    clock.now += 31
    for number in range(50):
        assert await jwks.key(f"unknown-{number}") is None
    assert issuer.requests == 2
    clock.now += 31
    assert await jwks.key("unknown-0") is None
    assert issuer.requests == 2, "remembered as unknown"
    assert await jwks.key("unknown-99") is None
    assert issuer.requests == 3


async def test_a_set_is_kept_for_a_day_when_the_issuer_is_down(jwks: Jwks, issuer: Issuer, clock: Clock) -> None:
    await jwks.key("old")
    issuer.fail()
    clock.now += 23 * 3600
    assert await jwks.key("old")
    await settled(jwks)
    assert issuer.requests == 2
    clock.now += 3600
    with pytest.raises(Unavailable):
        await jwks.key("old")
    issuer.publish(OLD.jwk())
    clock.now += 6
    assert await jwks.key("old")


async def test_without_any_set_tokens_cannot_be_checked(jwks: Jwks, issuer: Issuer, clock: Clock) -> None:
    issuer.fail()
    for _ in range(3):
        with pytest.raises(Unavailable) as unavailable:
            await jwks.key("old")
    assert unavailable.value.retry_after
    assert issuer.requests == 1, "an issuer in trouble is left alone for a while"
    issuer.publish(OLD.jwk())
    clock.now += 6
    assert await jwks.key("old")


async def test_an_issuer_that_cannot_be_reached_is_no_crash() -> None:
    with pytest.raises(Unavailable):
        await Jwks("http://127.0.0.1:1/keys").key("old")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [1, {}, {"kid": "a"}]}',
        b"[" * 30_000,
        b" " * 70_000,
    ],
)
async def test_a_broken_set_does_not_replace_a_good_one(jwks: Jwks, issuer: Issuer, clock: Clock, body: bytes) -> None:
    await jwks.key("old")
    issuer.body = body
    clock.now += 200
    await jwks.key("old")
    await settled(jwks)
    assert issuer.requests == 2
    assert jwks.knows("old")


async def test_a_redirect_is_not_followed(jwks: Jwks, issuer: Issuer) -> None:
    issuer.status, issuer.headers = "302 Found", f"location: {issuer.url}\r\n"
    with pytest.raises(Unavailable):
        await jwks.key("old")
    assert issuer.requests == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I", "kid": "x"},
        SigningKey("x", "EdDSA").jwk(use="enc"),
        SigningKey("x", "EdDSA").jwk(alg="ES256"),
        SigningKey("x", "EdDSA").jwk(kid=7),
        SigningKey("x", "RS256").jwk(alg="PS256"),
        SigningKey("x", "RS256").jwk(alg="HS256"),
        SigningKey("x", "RS256", rsa.generate_private_key(65537, 1024)).jwk(),
        SigningKey("x", "ES256", ec.generate_private_key(ec.SECP256R1())).jwk(crv="P-384"),
        SigningKey("x", "ES256").jwk(y="AAAA"),
    ],
)
async def test_a_key_that_is_not_fit_is_left_out(jwks: Jwks, issuer: Issuer, entry: dict[str, object]) -> None:
    issuer.publish(entry, OLD.jwk())
    assert await jwks.key("old")
    assert await jwks.key("x") is None
