"""Answers that hold a secret, encrypted before they are stored under their idempotency key: whoever reads the table
learns nothing, and a replay still gets the first answer. AES-256-GCM with a key of the service's own."""

import secrets
from contextlib import suppress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kit.call import Call
from kit.errors import Conflict

_NONCE_BYTES = 12


class Seal:
    """`keys`: 32 bytes each. The first closes, each opens what it has closed."""

    def __init__(self, *keys: bytes) -> None:
        self._ciphers = [AESGCM(key) for key in keys]

    def close(self, answer: bytes, call: Call) -> bytes:
        """The answer to the call, encrypted for a replay of the call alone."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, answer, _bound_to(call))

    def open(self, sealed: bytes, call: Call) -> bytes:
        """The answer. Raises Conflict when the service has the key no longer."""
        for cipher in self._ciphers:
            with suppress(InvalidTag):
                return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound_to(call))
        raise Conflict("This was done before, but its answer can be given no longer.", code="answer-gone")


def _bound_to(call: Call) -> bytes:
    return "\0".join((call.workspace_id, call.principal.subject, call.idempotency_key or "", call.method)).encode()
