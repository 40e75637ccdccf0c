"""Whether what a webhook brought was signed by whoever shares the secret with us (options/v1/policy.proto, Signature).

The signature is `sha256=` and the HMAC-SHA256 of the raw body in hexadecimal: AgentField's and GitHub's way. It says
nothing of when the body was sent or how often; that a delivery takes effect once is the idempotency key's matter.
"""

import hmac
from collections.abc import Awaitable, Callable

from kit.errors import NotFound, Unauthenticated, Unavailable
from kit.logs import get_logger
from kit.secrets import Secret

# How long to wait for somebody to set a secret (seconds).
_RETRY_SECONDS = 60

log = get_logger(__name__)


class SignatureCheck:
    """`get` finds a secret of the platform by its key, as SecretReader.get does; `required`: whether nothing is taken
    while nobody has set it."""

    def __init__(self, get: Callable[[str], Awaitable[Secret]], *, required: bool) -> None:
        self._get = get
        self._required = required

    async def check(self, key: str, body: bytes, given: str | None) -> bool:
        """Whether signatures are enforced; if so, `given` is one of the body. Raises Unauthenticated when it is none,
        and Unavailable when there has to be a secret and there is none, or it cannot be had now."""
        try:
            secret = await self._get(key)
        except NotFound:
            if self._required:
                log.warning("webhook refused: what it is signed with is not set", key=key)
                raise Unavailable(
                    f"Nothing is taken here before an administrator has set the secret {key}.",
                    code="webhook-secret-missing",
                    retry_after=_RETRY_SECONDS,
                ) from None
            return False
        if given is None:
            raise Unauthenticated("The signature of the body is missing.", code="signature-missing")
        if not is_signed(body, given, secret):
            raise Unauthenticated("The signature is not one of this body.", code="signature-invalid")
        return True


def sign(body: bytes, secret: str) -> str:
    """What the signature header of the body says."""
    return f"sha256={hmac.digest(secret.encode(), body, 'sha256').hex()}"


def is_signed(body: bytes, given: str, secret: Secret) -> bool:
    """Whether `given` is a signature of the body by either version of the secret. Takes the same time for each wrong
    one."""
    # As bytes: texts that are not ASCII cannot be compared so.
    matches = [
        hmac.compare_digest(sign(body, value).encode(), given.encode())
        for value in (secret.value, secret.previous)
        if value is not None
    ]
    return any(matches)
