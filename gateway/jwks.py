"""The token issuer's public keys (RFC 7517), fetched so that neither an outage nor an attacker does harm.

A set is refreshed in the background at half its life and kept, when that fails, for up to a day. An unknown key id
leads to one fetch at most every 30 seconds, whoever asks. Only one fetch runs at a time.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from kit import logs
from kit.errors import Unavailable

LIFE = 300.0
KEPT = 24 * 3600.0
PAUSE_AFTER_FAILURE = 5.0
FORCED_EVERY = 30.0
UNKNOWN_FOR = 60.0
_TIMEOUT = 2.0
_LARGEST = 64 * 1024
_MOST_UNKNOWN = 1000
_LEAST_RSA_BITS = 2048

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

log = logs.get_logger(__name__)


@dataclass(frozen=True)
class VerificationKey:
    """A public key and the one algorithm it is used with."""

    algorithm: str
    key: PublicKey


class Jwks:
    """The keys at `url`. `clock` gives seconds that only grow."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: dict[str, VerificationKey] = {}
        self._fetched_at = float("-inf")
        self._failed_at = float("-inf")
        self._forced_at = float("-inf")
        self._unknown: dict[str, float] = {}
        self._fetching: asyncio.Task[bool] | None = None

    def knows(self, key_id: str) -> bool:
        return key_id in self._keys

    async def key(self, key_id: str) -> VerificationKey | None:
        """The key of that id; None when the issuer has none. Raises Unavailable when no set can be had."""
        await self._keep_fresh()
        if found := self._keys.get(key_id):
            return found
        now = self._clock()
        if self._unknown.get(key_id, 0) > now or now - self._forced_at < FORCED_EVERY:
            return None
        self._forced_at = now
        if await self._fetch() and key_id not in self._keys:
            self._remember_unknown(key_id, now)
        return self._keys.get(key_id)

    async def close(self) -> None:
        """Give up a fetch under way."""
        if self._fetching:
            self._fetching.cancel()

    async def _keep_fresh(self) -> None:
        now = self._clock()
        age, may_try = now - self._fetched_at, now - self._failed_at >= PAUSE_AFTER_FAILURE
        if age <= LIFE / 2:
            return
        if age < KEPT:
            if may_try:
                self._start_fetch()
            return
        # The first fetch is as good as a forced one.
        self._forced_at = now
        if not may_try or not await self._fetch():
            raise Unavailable("Tokens cannot be checked at the moment; try again.", retry_after=5)

    async def _fetch(self) -> bool:
        # A request that is given up must not take the fetch along that others wait for.
        return await asyncio.shield(self._start_fetch())

    def _start_fetch(self) -> "asyncio.Task[bool]":
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._replace_keys())
        return self._fetching

    async def _replace_keys(self) -> bool:
        try:
            keys = _parse(await self._download())
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            self._failed_at = self._clock()
            log.warning("signing keys cannot be fetched", url=self._url, reason=f"{type(error).__name__}: {error}")
            return False
        self._keys, self._fetched_at = keys, self._clock()
        return True

    async def _download(self) -> bytes:
        async with (
            httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False) as client,
            asyncio.timeout(_TIMEOUT),
            client.stream("GET", self._url, headers={"accept": "application/json"}) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"answered {response.status_code}")
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _LARGEST:
                    raise ValueError("is too large")
            return body

    def _remember_unknown(self, key_id: str, now: float) -> None:
        if len(self._unknown) >= _MOST_UNKNOWN:
            self._unknown.clear()
        self._unknown[key_id] = now + UNKNOWN_FOR


def _parse(body: bytes) -> dict[str, VerificationKey]:
    """The usable keys by id. Raises ValueError when there is none: such a set must not replace a good one."""
    document = orjson.loads(body)
    entries = document.get("keys") if isinstance(document, dict) else None
    keys = dict(filter(None, map(_entry, entries))) if isinstance(entries, list) else {}
    if not keys:
        raise ValueError("holds no usable key")
    return keys


def _entry(entry: Any) -> tuple[str, VerificationKey] | None:
    """None for a key that is not ours to use: symmetric, too short, for encryption, without an id, of another kind."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str) or entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK.from_dict(entry).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    algorithm = _algorithm(key)
    if algorithm is None or entry.get("alg", algorithm) != algorithm:
        return None
    return entry["kid"], VerificationKey(algorithm, key)


def _algorithm(key: object) -> str | None:
    if isinstance(key, RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS:
        return "RS256"
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return "ES256"
    return "EdDSA" if isinstance(key, Ed25519PublicKey) else None
