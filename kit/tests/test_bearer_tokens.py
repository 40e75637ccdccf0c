"""The bearer tokens that services issue."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit import clock
from kit.bearer_tokens import BearerTokenIssuer
from kit.errors import Unauthenticated
from kit.identity import TokenVerifier

KEY = Ed25519PrivateKey.generate()
NOW = datetime(2026, 3, 1, 9, 0, 0, 999_000, tzinfo=UTC)
AGENT: dict[str, Any] = {"workspace_id": "acme", "role": "endpoint_agent", "agent_id": "a-1"}
HOUR = timedelta(hours=1)


def issuer(service: str = "telemetry") -> BearerTokenIssuer:
    return BearerTokenIssuer(service, KEY, audience="opsfield")


def claims_of(token: str) -> dict[str, Any]:
    """What it says, its signature checked and its times not."""
    claims: dict[str, Any] = jwt.decode(
        token, KEY.public_key(), ["EdDSA"], {"verify_exp": False, "verify_iat": False}, audience="opsfield"
    )
    return claims


def test_an_agents_token_says_who_it_is_and_for_how_long() -> None:
    with clock.at(NOW):
        token, expires_at = issuer().issue("agent:a-1", **AGENT, lifetime=HOUR)
    assert expires_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": "telemetry", "typ": "at+jwt"}
    claims = claims_of(token)
    assert len(claims.pop("jti")) == 36
    assert claims == {
        "iss": "opsfield/telemetry",
        "aud": "opsfield",
        "sub": "agent:a-1",
        "roles": ["endpoint_agent"],
        "workspaces": ["acme"],
        "agentId": "a-1",
        "iat": int(NOW.timestamp()),
        "exp": int(expires_at.timestamp()),
    }


def test_the_portals_token_names_its_client() -> None:
    token, _ = issuer("portal").issue(
        "contact:1", workspace_id="acme", role="client_portal", lifetime=HOUR, client_id="c-1", session_id="s-1"
    )
    claims = claims_of(token)
    assert (claims["iss"], claims["roles"], claims["clientId"]) == ("opsfield/portal", ["client_portal"], "c-1")
    assert claims["sid"] == "s-1"
    assert "agentId" not in claims


def test_the_portal_issues_none_without_a_session() -> None:
    with pytest.raises(ValueError, match="without a session"):
        issuer("portal").issue("contact:1", workspace_id="acme", role="client_portal", lifetime=HOUR, client_id="c-1")


def test_no_two_tokens_are_the_same() -> None:
    with clock.at(NOW):
        tokens = {issuer().issue("agent:a-1", **AGENT, lifetime=HOUR)[0] for _ in range(10)}
    assert len(tokens) == 10


@pytest.mark.parametrize(
    ("service", "changed"),
    [
        ("telemetry", {"role": "msp_admin"}),
        ("telemetry", {"role": "client_portal", "client_id": "c-1"}),
        ("telemetry", {"role": "unheard_of"}),
        ("telemetry", {"agent_id": None}),
        ("telemetry", {"agent_id": ""}),
        ("telemetry", {"agent_id": None, "client_id": "c-1"}),
        ("portal", {}),
        ("ops", {}),
    ],
)
def test_a_service_issues_none_but_for_its_own_role(service: str, changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{service} cannot issue a token for the role"):
        issuer(service).issue("agent:a-1", **(AGENT | changed), lifetime=HOUR)


@pytest.mark.parametrize("audience", ["opsfield", "telemetry"])
def test_it_is_no_internal_token(audience: str) -> None:
    token, _ = BearerTokenIssuer("telemetry", KEY, audience=audience).issue("a", **AGENT, lifetime=timedelta(seconds=9))
    with pytest.raises(Unauthenticated):
        TokenVerifier(audience, {"telemetry": [KEY.public_key()]}).verify(token)


def test_the_key_is_that_of_the_services_internal_tokens(tmp_path: Path) -> None:
    def write(key: Any) -> Path:
        path = tmp_path / "key.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path

    found = BearerTokenIssuer.from_file("telemetry", write(KEY), audience="opsfield")
    assert claims_of(found.issue("agent:a-1", **AGENT, lifetime=HOUR)[0])["sub"] == "agent:a-1"
    with pytest.raises(ValueError, match="holds no Ed25519 private key"):
        BearerTokenIssuer.from_file("telemetry", write(generate_private_key(SECP256R1())), audience="opsfield")
