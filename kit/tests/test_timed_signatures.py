"""Stripe's scheme: a signature over the body and the time."""

from datetime import UTC, datetime, timedelta

import pytest

from kit import clock
from kit.errors import NotFound, Unauthenticated
from kit.secrets import Secret
from kit.signatures import TOLERANCE, SignatureCheck, is_signed_now, sign_timed

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
SECRET = Secret("new", "old", 2)
GOOD = sign_timed(b"body", "new", SECONDS)
_, _, HEX = GOOD.partition("v1=")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (GOOD, True),
        (sign_timed(b"body", "old", SECONDS), True),
        (f"t={SECONDS},v1={'0' * 64},v1={HEX},v0=x", True),
        (f"t={SECONDS}, v1={HEX}", True),
        (sign_timed(b"body", "older", SECONDS), False),
        (sign_timed(b"Body", "new", SECONDS), False),
        (f"t={SECONDS + 1},v1={HEX}", False),
        (f"v1={HEX}", False),
        (f"t={SECONDS},t={SECONDS},v1={HEX}", False),
        (f"t={SECONDS},v0={HEX}", False),
        (f"t={SECONDS},v1={HEX.upper()}", False),
        (f"t=-{SECONDS},v1={HEX}", False),
        (f"t={'9' * 400},v1={HEX}", False),
        (f"t=²,v1={HEX}", False),
        (f"t={SECONDS},v1=\xe9", False),
        ("", False),
        (",,=,", False),
    ],
)
def test_a_signature_of_the_body_and_the_time_holds(given: str, expected: bool) -> None:
    with clock.at(NOW):
        assert is_signed_now(b"body", given, SECRET) is expected


@pytest.mark.parametrize("seconds", [-TOLERANCE - 1, -TOLERANCE, 0, TOLERANCE, TOLERANCE + 1])
def test_it_holds_for_a_while(seconds: int) -> None:
    with clock.at(NOW + timedelta(seconds=seconds)):
        assert is_signed_now(b"body", GOOD, SECRET) == (abs(seconds) <= TOLERANCE)


async def test_the_secret_is_the_workspaces_own() -> None:
    async def of_workspace(workspace_id: str, key: str) -> Secret:
        if (workspace_id, key) != ("acme", "payments.x"):
            raise NotFound("It was never set.")
        return SECRET

    async def of_platform(key: str) -> Secret:
        raise AssertionError(key)

    check = SignatureCheck(of_platform, required=False, of_workspace=of_workspace)
    with clock.at(NOW):
        await check.check_timed("acme", "payments.x", b"body", GOOD)
        # Nothing is taken unsigned, whatever the platform does with other webhooks.
        with pytest.raises(NotFound):
            await check.check_timed("other", "payments.x", b"body", GOOD)
        for given, code in ((None, "signature-missing"), ("t=1,v1=0", "signature-invalid")):
            with pytest.raises(Unauthenticated) as refused:
                await check.check_timed("acme", "payments.x", b"body", given)
            assert refused.value.code == code
