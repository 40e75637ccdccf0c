"""Keys are rotated while they are in use, as docs/operations.md says: those that sign, and the one that encrypts
secrets, whose rotation is killed midway."""

import base64
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devstack.keys import ensure_secrets
from tests.platform import Platform, eventually
from tests.platform import new_key as idempotency_key
from tests.service_identity import as_service, secret_value

DEATH = 137
SECRETS = 65  # a workspace: more than a batch of the rotation


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """One of the test's own, whose keys it may change."""
    with Platform(tmp_path, services=("platform",)) as running:
        yield running


def new_key(name: str) -> str:
    return f"{name} {base64.b64encode(secrets.token_bytes(32)).decode()}"


def new_pem() -> str:
    key = Ed25519PrivateKey.generate()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


def rotate(platform: Platform, *arguments: str, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **platform.stack.environment("platform"), "CRASH_AT": crash_at}
    command = [sys.executable, "-m", "services.platform.secrets.rewrap", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def all_readable(platform: Platform, values: dict[tuple[str, str], str]) -> bool:
    async def read_all(client: object) -> dict[tuple[str, str], str]:
        return {place: (await client.fetch_secret(*place)).value for place in values}  # type: ignore[attr-defined]

    return as_service(platform, "integrations", read_all) == values


def test_a_rotation_that_is_killed_finishes_on_the_next_run(platform: Platform) -> None:
    keys = platform.stack.layout.key_encryption_keys
    old = keys.read_text().strip()
    values: dict[tuple[str, str], str] = {}
    for _ in range(2):
        with platform.api(("integration_admin",)) as api:
            for number in range(SECRETS):
                value = f"value {number} of {api.workspace}"
                answer = api.post(f"/workspace/secrets/notifications.c{number}", json={"value": value})
                assert answer.status_code == 201
                values[api.workspace, f"notifications.c{number}"] = value
    data_keys = len(values) + 2

    # The new key is known before it is used, so that no replica meets one it does not have.
    new = new_key("2027")
    keys.write_text(f"{old}\n{new}\n")
    check = rotate(platform, "--check")
    assert (check.returncode, check.stdout.splitlines()[0]) == (0, f"1: {data_keys} data keys (current)")
    keys.write_text(f"# the current one\n{new}\n{old}\n")

    # A batch is of one workspace: 50 keys, 16, then 50 of the next.
    for point, done in (("before-commit:1", 0), ("after-commit:1", 50), ("before-commit:2", 66)):
        killed = rotate(platform, crash_at=point)
        assert killed.returncode == DEATH, killed.stderr
        assert rotate(platform, "--check").stdout.splitlines() == [
            f"1: {data_keys - done} data keys",
            *([f"2027: {done} data keys (current)"] if done else []),
        ]
        assert all_readable(platform, values)

    # The running service has read the new key meanwhile and wraps what is new by it.
    with platform.api(("integration_admin",)) as api:
        api.post("/workspace/secrets/notifications.new", json={"value": "new"})
        values[api.workspace, "notifications.new"] = "new"
    finished = rotate(platform)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1] == "Nothing needs any key but 2027."
    assert all_readable(platform, values)
    again = rotate(platform)
    assert again.stdout.splitlines() == [f"2027: {data_keys + 2} data keys (current)", finished.stdout.splitlines()[-1]]

    keys.write_text(f"{new}\n")
    platform.restart("platform")
    eventually(lambda: all_readable(platform, values))


def test_without_its_key_a_secret_is_not_to_be_had_and_nothing_breaks(platform: Platform) -> None:
    keys = platform.stack.layout.key_encryption_keys
    old = keys.read_text()
    with platform.api(("integration_admin",)) as api:
        api.post("/workspace/secrets/accounting.xero", json={"value": "kept"})
        keys.write_text(new_key("other"))
        stopped = rotate(platform)
        assert stopped.returncode == 1
        assert "not at hand" in stopped.stderr
        assert "Traceback" not in stopped.stderr
        keys.write_text("not a key")
        assert api.post("/workspace/secrets/accounting.quickbooks", json={"value": "x"}).status_code in (201, 503)
        keys.write_text(old)
        assert secret_value(platform, "integrations", api.workspace, "accounting.xero") == "kept"
        assert rotate(platform).returncode == 0


def test_signing_keys_are_rotated_one_program_after_the_other(platform: Platform) -> None:
    """Gateway and service restart by turns, so that at each step one of them knows what the other does not yet."""
    layout = platform.stack.layout
    pems = {name: (layout.key(name).read_text(), new_pem()) for name in ("gateway", "platform")}
    secret = {"json": {"value": "the first"}, "key": idempotency_key()}
    with platform.api(("integration_admin",)) as api:

        def works() -> None:
            """The gateway is believed, and so is what the service derived from its key."""
            assert api.get("/workspace/settings").status_code == 200
            again = api.post("/workspace/secrets/accounting.xero", **secret)
            assert (again.status_code, again.headers.get("idempotency-replayed")) == (201, "true"), again.text

        assert api.post("/workspace/secrets/accounting.xero", **secret).status_code == 201
        for order in ((0, 1), (1, 0), (1,)):
            for name, keys in pems.items():
                layout.key(name).write_text("".join(keys[number] for number in order))
            ensure_secrets(layout)
            for name in pems:
                platform.restart(name)
                if order != (1,):
                    works()
        # Only without the old key what it derived is not known any more.
        assert api.get("/workspace/settings").status_code == 200
        assert api.post("/workspace/secrets/accounting.xero", **secret).json()["code"] == "idempotency-key-reused"
