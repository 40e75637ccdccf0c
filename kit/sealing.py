"""Answers that hold a secret, encrypted before they are stored under their idempotency key: whoever reads the table
learns nothing, and a replay still gets the first answer. AES-256-GCM with a key of the service's own."""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kit.call import Call
from kit.errors import Conflict

_NONCE_BYTES = 12


class Seal:
    """`key`: 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, answer: bytes, call: Call) -> bytes:
        """The answer to the call, encrypted for a replay of the call alone."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, answer, _bound_to(call))

    def open(self, sealed: bytes, call: Call) -> bytes:
        """The answer. Raises Conflict when the service's key is another by now."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound_to(call))
        except InvalidTag as error:
            raise Conflict(
                "This was done before, but its answer can be given no longer.", code="answer-gone"
            ) from error


def _bound_to(call: Call) -> bytes:
    return "\0".join((call.workspace_id, call.principal.subject, call.idempotency_key or "", call.method)).encode()
