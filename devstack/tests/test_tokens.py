"""The tokens of `make token`."""

import time
from pathlib import Path

import jwt
import pytest

from devstack import tokens
from devstack.layout import Layout, StackError


def decode(token: str, secret: str) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(token, secret, algorithms=["HS256"], audience="opsfield")
    return claims


def test_a_token_carries_what_was_asked_for(layout: Layout) -> None:
    secret = tokens.read_secret(layout)
    token = tokens.issue(secret, ["client_portal", "viewer"], ["demo"], client="c-1", agent="a-1", ttl=60)
    claims = decode(token, secret)
    assert claims["sub"] == "dev-client_portal"
    assert claims["roles"] == ["client_portal", "viewer"]
    assert claims["workspaces"] == ["demo"]
    assert (claims["clientId"], claims["agentId"]) == ("c-1", "a-1")
    assert (claims["iss"], claims["aud"]) == ("opsfield-dev", "opsfield")
    assert claims["exp"] == pytest.approx(time.time() + 60, abs=5)


def test_claims_that_were_not_asked_for_are_absent(layout: Layout) -> None:
    secret = tokens.read_secret(layout)
    claims = decode(tokens.issue(secret, ["msp_admin"], "*"), secret)
    assert claims["workspaces"] == "*"
    assert {"clientId", "agentId"}.isdisjoint(claims)


def test_two_tokens_are_two_tokens(layout: Layout) -> None:
    secret = tokens.read_secret(layout)
    first, second = (decode(tokens.issue(secret, ["viewer"], ["demo"]), secret) for _ in range(2))
    assert first["jti"] != second["jti"]


@pytest.mark.parametrize("roles", [[], ["viewer", "root"]])
def test_an_unknown_role_is_refused_with_the_known_ones(roles: list[str]) -> None:
    with pytest.raises(StackError, match="the roles are msp_admin"):
        tokens.issue("secret", roles, ["demo"])


def test_without_a_secret_one_is_told_to_start_first(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="make run"):
        tokens.read_secret(Layout(tmp_path / "nowhere"))
