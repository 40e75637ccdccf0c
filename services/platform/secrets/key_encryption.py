"""The keys that encrypt data keys: the port, and keys that are at hand here.

A key management service takes the place of `LocalKeys` by giving the same three methods. A data key is always opened
with the very key it was wrapped by, by its id: AES-GCM is not key-committing, so keys are never tried out.
"""

import base64
import binascii
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kit.errors import Internal, Unavailable
from kit.logs import get_logger

KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

log = get_logger(__name__)


class Wrapped(NamedTuple):
    """A data key, encrypted by the key-encryption key `kek_id`."""

    kek_id: str
    blob: bytes


class KeyEncryption(Protocol):
    """`context` is associated data: unwrapping needs the same again."""

    async def current_id(self) -> str:
        """Id of the key that wraps what is new."""

    async def wrap(self, data_key: bytes, context: bytes) -> Wrapped:
        """Raises Unavailable when the keys cannot be reached."""

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        """Raises Unavailable when the key is not to be had, Internal when this was not wrapped by it."""


class LocalKeys:
    """Keys in the text that `read` gives, a line each: `<id> <32 bytes in base64>`; the first is the current one.

    The text is read anew when it has changed (`stamp`), so that a key can be added while the service runs.
    """

    def __init__(self, read: Callable[[], str], stamp: Callable[[], object] = lambda: None) -> None:
        """Raises ValueError, without quoting the text, when it holds no such keys."""
        self._read = read
        self._stamp = stamp
        self._seen = stamp()
        self._keys = parse(read())

    @classmethod
    def from_file(cls, path: Path) -> "LocalKeys":
        """Raises ValueError and OSError."""
        return cls(path.read_text, lambda: path.stat().st_mtime_ns)

    async def current_id(self) -> str:
        return next(iter(self._up_to_date()))

    async def wrap(self, data_key: bytes, context: bytes) -> Wrapped:
        kek_id = await self.current_id()
        return Wrapped(kek_id, seal(self._keys[kek_id], data_key, _bind(kek_id, context)))

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        key = self._up_to_date().get(wrapped.kek_id)
        if key is None:
            log.error("a key-encryption key is missing", kek_id=wrapped.kek_id)
            raise Unavailable("The key that encrypts this secret is not at hand.", code="key-missing", retry_after=60)
        return unseal(key, wrapped.blob, _bind(wrapped.kek_id, context))

    def _up_to_date(self) -> dict[str, bytes]:
        try:
            if (stamp := self._stamp()) != self._seen:
                self._keys, self._seen = parse(self._read()), stamp
                log.info("key-encryption keys read anew", kek_ids=list(self._keys))
        except (OSError, ValueError) as error:
            log.error("key-encryption keys cannot be read anew; going on with those at hand", reason=str(error))
        return self._keys


def parse(text: str) -> dict[str, bytes]:
    """Keys by id, in their order. Raises ValueError, without quoting the text."""
    keys: dict[str, bytes] = {}
    for number, line in enumerate(re.split(r"[\n,]", text), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        kek_id, _, encoded = line.strip().partition(" ")
        if not _KEY_ID.fullmatch(kek_id) or kek_id in keys:
            raise ValueError(f"key-encryption keys, line {number}: an id of its own is needed, then the key")
        try:
            key = base64.b64decode(encoded.strip(), validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES:
            raise ValueError(f"key-encryption keys, line {number}: the key must be {KEY_BYTES} bytes in base64")
        keys[kek_id] = key
    if not keys:
        raise ValueError("there is no key-encryption key")
    return keys


def seal(key: bytes, plain: bytes, context: bytes) -> bytes:
    """AES-256-GCM: a random nonce of 96 bits, then the ciphertext with its tag. `context` is bound, not included."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Raises Internal when it was sealed by another key, for another context, or changed since."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except InvalidTag as error:
        log.error("a sealed value does not open: it was changed, moved, or sealed by another key of that name")
        raise Internal("Something went wrong on our side.") from error


def _bind(kek_id: str, context: bytes) -> bytes:
    return b"opsfield data key\0" + kek_id.encode() + b"\0" + context
