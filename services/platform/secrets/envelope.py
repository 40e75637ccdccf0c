"""Envelope encryption: a value under a data key of its own, the data key under a key-encryption key.

Associated data binds a value to its workspace, key and version, and a data key to its workspace and id, so that
neither opens in another's place.
"""

import hmac
import os
from dataclasses import dataclass

from services.platform.secrets.key_encryption import KEY_BYTES, KeyEncryption, Wrapped, seal, unseal

_FINGERPRINT_DIGITS = 16


@dataclass(frozen=True)
class Place:
    """Where a value belongs."""

    workspace_id: str
    key: str
    version: int

    @property
    def context(self) -> bytes:
        # No part can hold a NUL, so no two places are written alike.
        return b"\0".join(
            (b"opsfield secret", self.workspace_id.encode(), self.key.encode(), str(self.version).encode())
        )


class Envelopes:
    """Makes data keys and opens them again."""

    def __init__(self, keys: KeyEncryption) -> None:
        self.keys = keys

    async def new_data_key(self, workspace_id: str, data_key_id: str) -> tuple[bytes, Wrapped]:
        """A data key, and the same wrapped. Raises Unavailable."""
        data_key = os.urandom(KEY_BYTES)
        return data_key, await self.keys.wrap(data_key, _context(workspace_id, data_key_id))

    async def open_data_key(self, workspace_id: str, data_key_id: str, wrapped: Wrapped) -> bytes:
        """Raises Unavailable and Internal."""
        return await self.keys.unwrap(wrapped, _context(workspace_id, data_key_id))

    async def rewrap(self, workspace_id: str, data_key_id: str, wrapped: Wrapped) -> Wrapped:
        """The same data key under the current key-encryption key."""
        data_key = await self.open_data_key(workspace_id, data_key_id, wrapped)
        return await self.keys.wrap(data_key, _context(workspace_id, data_key_id))


def seal_value(data_key: bytes, value: str, place: Place) -> bytes:
    return seal(data_key, value.encode(), place.context)


def open_value(data_key: bytes, sealed: bytes, place: Place) -> str:
    """Raises Internal when it does not belong there."""
    return unseal(data_key, sealed, place.context).decode()


def fingerprint(data_key: bytes, value: str) -> str:
    """16 hexadecimal digits of a keyed hash: equal for equal values under one key, and no help in guessing them."""
    return hmac.digest(data_key, value.encode(), "sha256").hex()[:_FINGERPRINT_DIGITS]


def _context(workspace_id: str, data_key_id: str) -> bytes:
    return workspace_id.encode() + b"\0" + data_key_id.encode()
