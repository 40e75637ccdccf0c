"""Who is asking, signed: what is believed and what is not."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.errors import Unauthenticated
from kit.identity import LIFETIME, Principal, TokenSigner, TokenVerifier

GATEWAY, PORTAL, STRANGER = (Ed25519PrivateKey.generate() for _ in range(3))
ADA = Principal(subject="ada", roles=frozenset({"ops_engineer", "viewer"}), workspace_id="acme")
Forge = Callable[..., str]


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier("ops", {"gateway": [GATEWAY.public_key()], "portal": [PORTAL.public_key()]})


def forge(key: Any = GATEWAY, algorithm: str = "EdDSA", header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token that is good but for what is given; a claim that is None is left out."""
    now = int(time.time())
    body = {
        "iss": "gateway",
        "aud": "ops",
        "iat": now,
        "exp": now + LIFETIME,
        "sub": "ada",
        "roles": ["viewer"],
    } | claims
    headers = {"kid": "gateway", "typ": "txntoken+jwt"} | (header or {})
    return jwt.encode({name: value for name, value in body.items() if value is not None}, key, algorithm, headers)


def refused(verifier: TokenVerifier, token: str) -> bool:
    """Whether it is; the answer then does not say why."""
    try:
        verifier.verify(token)
    except Unauthenticated as problem:
        return problem.detail == "The internal token is missing or not valid."
    return False


@pytest.mark.parametrize(
    "principal",
    [
        ADA,
        Principal(subject="anonymous"),
        Principal("kim", frozenset({"client_portal"}), workspace_id="acme", client_id="c-1", session_id="s-1"),
        Principal(subject="agent-1", roles=frozenset({"endpoint_agent"}), workspace_id="acme", agent_id="a-1"),
        Principal(subject="gateway", service="gateway"),
    ],
)
def test_a_principal_arrives_as_it_was_signed(verifier: TokenVerifier, principal: Principal) -> None:
    assert verifier.verify(TokenSigner("gateway", GATEWAY).sign(principal, "ops")) == principal


def test_the_forger_of_these_tests_can_make_a_good_token(verifier: TokenVerifier) -> None:
    assert verifier.verify(forge()).subject == "ada"


def test_a_token_signed_with_an_unknown_key_is_refused(verifier: TokenVerifier) -> None:
    assert refused(verifier, forge(STRANGER))


def test_a_key_speaks_for_its_owner_alone(verifier: TokenVerifier) -> None:
    assert refused(verifier, forge(PORTAL))
    assert refused(verifier, forge(PORTAL, header={"kid": "portal"}))
    assert refused(verifier, forge(header={"kid": "unknown"}, iss="unknown"))
    assert not refused(verifier, forge(PORTAL, header={"kid": "portal"}, iss="portal"))


def test_a_service_cannot_say_it_is_another(verifier: TokenVerifier) -> None:
    assert refused(verifier, forge(service="portal"))
    assert not refused(verifier, forge(service="gateway"))


def test_a_token_for_another_service_is_refused(verifier: TokenVerifier) -> None:
    assert refused(verifier, forge(aud="portal"))
    assert refused(verifier, forge(aud=["ops", "portal"]))


def test_a_token_of_another_type_is_refused(verifier: TokenVerifier) -> None:
    for kind in ("JWT", "at+jwt", None):
        assert refused(verifier, forge(header={"typ": kind}))


def test_a_token_out_of_its_time_is_refused(verifier: TokenVerifier) -> None:
    now = int(time.time())
    assert refused(verifier, forge(iat=now - 100, exp=now - 40))
    assert refused(verifier, forge(iat=now + 3600, exp=now + 3660))


def test_a_token_that_lives_too_long_is_refused(verifier: TokenVerifier) -> None:
    now = int(time.time())
    assert refused(verifier, forge(iat=now, exp=now + LIFETIME + 1))
    assert refused(verifier, forge(iat=now - 86_400, exp=now + LIFETIME))


@pytest.mark.parametrize("claim", ["iss", "aud", "iat", "exp", "sub"])
def test_a_token_without_a_claim_is_refused(verifier: TokenVerifier, claim: str) -> None:
    without: dict[str, Any] = {claim: None}
    assert refused(verifier, forge(**without))


def test_no_other_algorithm_is_taken(verifier: TokenVerifier) -> None:
    public = GATEWAY.public_key().public_bytes_raw()
    assert refused(verifier, forge("", "none"))
    assert refused(verifier, forge(public, "HS256"))
    assert refused(verifier, forge(generate_private_key(SECP256R1()), "ES256"))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "..", "\0"])
def test_what_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    assert refused(verifier, token)


def test_a_forged_head_breaks_nothing(verifier: TokenVerifier) -> None:
    """Whoever can reach a service's port can send it."""
    body, signature = forge().split(".")[1:]
    for kid in ("[]", '["gateway"]', "{}", "1e400", "NaN", "null", '"\\ud800"'):
        header = b'{"alg":"EdDSA","typ":"txntoken+jwt","kid":%s}' % kid.encode()
        assert refused(verifier, f"{urlsafe_b64encode(header).decode().rstrip('=')}.{body}.{signature}"), kid
    for header in (b"[" * 100_000, b'{"alg":' + b"9" * 5_000 + b"}"):
        assert refused(verifier, f"{urlsafe_b64encode(header).decode().rstrip('=')}.{body}.{signature}")


def test_a_token_with_changed_claims_is_refused(verifier: TokenVerifier) -> None:
    header, _, signature = forge().split(".")
    _, body, _ = forge(STRANGER, roles=["msp_admin"]).split(".")
    assert refused(verifier, f"{header}.{body}.{signature}")


def test_a_token_seen_before_still_expires(verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
    token = TokenSigner("gateway", GATEWAY).sign(ADA, "ops")
    assert verifier.verify(token) == ADA
    go_forward(monkeypatch, LIFETIME - 10)
    assert verifier.verify(token) == ADA
    go_forward(monkeypatch, LIFETIME + 10)
    assert refused(verifier, token)


def test_a_signer_hands_out_a_token_again_while_it_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = TokenSigner("gateway", GATEWAY)
    first = signer.sign(ADA, "ops")
    assert signer.sign(ADA, "ops") == first
    assert signer.sign(ADA, "portal") != first
    go_forward(monkeypatch, LIFETIME // 2 + 5)
    assert signer.sign(ADA, "ops") != first


def test_keys_are_read_from_their_files(tmp_path: Path) -> None:
    (tmp_path / "gateway.pem").write_bytes(
        GATEWAY.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    jwk = jwt.algorithms.OKPAlgorithm.to_jwk(GATEWAY.public_key(), as_dict=True)
    (tmp_path / "trust.json").write_text(json.dumps({"keys": [{**jwk, "kid": "gateway"}]}))
    signer = TokenSigner.from_file("gateway", tmp_path / "gateway.pem")
    assert TokenVerifier.from_file("ops", tmp_path / "trust.json").verify(signer.sign(ADA, "ops")) == ADA


def pem(*keys: Ed25519PrivateKey) -> bytes:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return b"".join(key.private_bytes(*form) for key in keys)


def test_a_key_is_rotated_and_every_step_knows_the_step_before(tmp_path: Path) -> None:
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    key, trust = tmp_path / "gateway.pem", tmp_path / "trust.json"

    def trusted(*keys: Ed25519PrivateKey) -> TokenVerifier:
        jwks = [jwt.algorithms.OKPAlgorithm.to_jwk(each.public_key(), as_dict=True) for each in keys]
        trust.write_text(json.dumps({"keys": [{**jwk, "kid": "gateway"} for jwk in jwks]}))
        return TokenVerifier.from_file("ops", trust)

    def signs(*keys: Ed25519PrivateKey) -> TokenSigner:
        key.write_bytes(pem(*keys))
        return TokenSigner.from_file("gateway", key)

    before, both, after = signs(old), signs(old, new), signs(new, old)
    for verifier in (trusted(old), trusted(old, new), trusted(new, old)):
        assert verifier.verify(before.sign(ADA, "ops")) == verifier.verify(both.sign(ADA, "ops")) == ADA
    assert trusted(old, new).verify(after.sign(ADA, "ops")) == ADA
    assert trusted(new).verify(after.sign(ADA, "ops")) == ADA
    assert refused(trusted(new), before.sign(ADA, "ops"))
    assert refused(trusted(old, new), forge(STRANGER))
    # What was derived from the old key goes on to be known, what is derived from now on is the new one's.
    assert (
        after.derived_keys("x")
        == both.derived_keys("x")[::-1]
        == (*signs(new).derived_keys("x"), *before.derived_keys("x"))
    )


def test_a_key_of_another_kind_is_refused_at_start(tmp_path: Path) -> None:
    key = generate_private_key(SECP256R1())
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    (tmp_path / "trust.json").write_text(json.dumps({"keys": [{**jwk, "kid": "gateway"}]}))
    with pytest.raises(ValueError, match="gateway is not an Ed25519"):
        TokenVerifier.from_file("ops", tmp_path / "trust.json")
    (tmp_path / "gateway.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with pytest.raises(ValueError, match="no Ed25519 private key"):
        TokenSigner.from_file("gateway", tmp_path / "gateway.pem")


def go_forward(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Set the clocks of this process and of PyJWT forward, counted from the real time."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Later":
            return cls.fromtimestamp(datetime.now(tz).timestamp(), tz) + timedelta(seconds=seconds)

    monkeypatch.undo()
    real = time.time
    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    monkeypatch.setattr("time.time", lambda: real() + seconds)
