"""Whether what a webhook brought was signed by whoever shares the secret with us (options/v1/policy.proto, Signature).

The signature is `sha256=` and the HMAC-SHA256 of the raw body in hexadecimal: AgentField's and GitHub's way. It says
nothing of when the body was sent or how often; that a delivery takes effect once is the idempotency key's matter. Or it
is over the time as well, which stands beside it: Stripe's way.
"""

import hmac
from collections.abc import Awaitable, Callable

from kit import clock
from kit.errors import NotFound, Unauthenticated, Unavailable
from kit.logs import get_logger
from kit.secrets import Secret

# How long to wait for somebody to set a secret (seconds).
_RETRY_SECONDS = 60
# For how long a signature with a time is good, before and after (seconds): as long as Stripe's own libraries take it.
TOLERANCE = 300

log = get_logger(__name__)


class SignatureCheck:
    """`get` finds a secret of the platform by its key, `of_workspace` one of a workspace, as SecretReader.get does;
    `required`: whether nothing is taken while nobody has set the platform's."""

    def __init__(
        self,
        get: Callable[[str], Awaitable[Secret]],
        *,
        required: bool,
        of_workspace: Callable[[str, str], Awaitable[Secret]] | None = None,
    ) -> None:
        self._get = get
        self._of_workspace = of_workspace
        self._required = required

    async def check_timed(self, workspace_id: str, key: str, body: bytes, given: str | None) -> None:
        """By Stripe's scheme, with a secret of the workspace. Raises Unauthenticated unless `given` is a signature of
        the body, of now; NotFound where nobody has set the secret; Unavailable when it cannot be had now."""
        assert self._of_workspace is not None, "who serves what is so signed has the secrets of workspaces"
        try:
            secret = await self._of_workspace(workspace_id, key)
        except NotFound:
            raise NotFound("There is nothing here.") from None
        if given is None:
            raise Unauthenticated("The signature of the body is missing.", code="signature-missing")
        if not is_signed_now(body, given, secret):
            raise Unauthenticated("The signature is not one of this body, or too old.", code="signature-invalid")

    async def check(self, key: str, body: bytes, given: str | None, *, always: bool = False) -> bool:
        """Whether signatures are enforced; if so, `given` is one of the body. Raises Unauthenticated when it is none,
        and Unavailable when there has to be a secret (`always`: whatever `required` says) and there is none, or it
        cannot be had now."""
        try:
            secret = await self._get(key)
        except NotFound:
            if always or self._required:
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


def sign_timed(body: bytes, secret: str, seconds: int) -> str:
    """What the signature header of the body says by Stripe's scheme, at that time."""
    return f"t={seconds},v1={_timed(body, secret, str(seconds))}"


def is_signed_now(body: bytes, given: str, secret: Secret) -> bool:
    """Whether `given` (`t=…,v1=…[,v1=…]`) holds a signature of the body by either version of the secret, and its time
    is that of now, but for the tolerance."""
    parts = [part.partition("=") for part in given.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    if len(times) != 1 or not times[0].isdecimal() or len(times[0]) > 12:
        return False
    if abs(clock.now().timestamp() - int(times[0])) > TOLERANCE:
        return False
    signatures = [value.encode() for name, _, value in parts if name.strip() == "v1"]
    expected = [
        _timed(body, value, times[0]).encode() for value in (secret.value, secret.previous) if value is not None
    ]
    matches = [hmac.compare_digest(one, other) for one in expected for other in signatures]
    return any(matches)


def _timed(body: bytes, secret: str, seconds: str) -> str:
    return hmac.digest(secret.encode(), seconds.encode() + b"." + body, "sha256").hex()
