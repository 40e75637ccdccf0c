"""Bearer tokens of our own services: which are believed, and what they grant."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.api.httpbody_pb2 import HttpBody

from gateway.authentication import Authenticator, Caller
from gateway.jwks import Jwks
from gateway.own_tokens import OwnTokens
from gateway.sessions import Session
from gateway.tests.fake_service import FakeService
from gateway.tests.issuer import running_issuer
from gateway.tests.tokens import AUDIENCE, ISSUER, SECRET, SigningKey
from kit.bearer_tokens import BearerTokenIssuer
from kit.errors import Unauthenticated
from kit.identity import Principal, TokenSigner

AGENT_ID = "0193a4a4-7d2b-7000-8000-000000000009"
KEYS = {name: Ed25519PrivateKey.generate() for name in ("telemetry", "portal", "ops", "gateway")}
STRANGER = Ed25519PrivateKey.generate()
# What an issuer of tokens outside publishes, one key under the name of a service of ours.
OUTSIDE = SigningKey("outside", "EdDSA")
NAMESAKE = SigningKey("telemetry", "EdDSA")
NOW = int(time.time())


def issue(service: str = "telemetry", **changed: Any) -> str:
    """A good token as the service issues it."""
    good: dict[str, Any] = {
        "workspace_id": "acme",
        "role": "endpoint_agent",
        "lifetime": timedelta(hours=1),
        "agent_id": AGENT_ID,
    }
    issuer = BearerTokenIssuer(service, KEYS[service], audience=AUDIENCE)
    return issuer.issue("agent-7", **(good | changed))[0]


def signed(
    key: Any = KEYS["telemetry"], header: dict[str, Any] | None = None, algorithm: str = "EdDSA", **changed: Any
) -> str:
    """A token of telemetry's with some of it changed and signed with `key`; None takes it out."""
    claims = jwt.decode(issue(), options={"verify_signature": False}) | changed
    headers = {"kid": "telemetry", "typ": "at+jwt"} | (header or {})
    # Without a type PyJWT writes one of its own, with an empty one none.
    headers = {name: value or "" for name, value in headers.items() if value is not None or name == "typ"}
    wanted = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(wanted, key, algorithm=algorithm, headers=headers)


ENDED = "0193a4a4-7d2b-7000-8000-00000000dead"


async def ask(session: Session) -> None:
    """Every session of the portal goes on but one."""
    assert (session.service, session.workspace_id) == ("portal", "acme")
    if session.id == ENDED:
        raise Unauthenticated("The session has ended.", code="session-ended")


@pytest_asyncio.fixture
async def checks() -> AsyncIterator[Authenticator]:
    async with running_issuer() as outside:
        outside.publish(OUTSIDE.jwk(), NAMESAKE.jwk())
        public = {name: [key.public_key()] for name, key in KEYS.items()}
        yield Authenticator(
            issuer=ISSUER,
            audience=AUDIENCE,
            jwks=Jwks(outside.url),
            dev_secret=SECRET,
            own=OwnTokens(AUDIENCE, public),
            check_session=ask,
        )


async def caller(checks: Authenticator, token: str) -> Caller:
    return await checks.authenticate(f"Bearer {token}")


async def test_an_agents_token_says_who_it_is_and_where(checks: Authenticator) -> None:
    found = await caller(checks, issue())
    principal = found.in_workspace("acme")
    assert principal == Principal("agent-7", frozenset({"endpoint_agent"}), "acme", agent_id=AGENT_ID)
    assert (found.only_workspace, found.in_workspace("other")) == ("acme", None)


VISITOR: dict[str, Any] = {"role": "client_portal", "agent_id": None, "client_id": "client-1"}


async def test_the_portal_grants_its_own_role_in_a_session(checks: Authenticator) -> None:
    found = await caller(checks, issue("portal", **VISITOR, session_id="s-1"))
    assert found.principal == Principal("agent-7", frozenset({"client_portal"}), client_id="client-1", session_id="s-1")
    in_acme = found.in_workspace("acme")
    assert in_acme
    assert (in_acme.client_id, in_acme.session_id) == ("client-1", "s-1")


async def test_a_token_is_good_in_its_session_only(checks: Authenticator) -> None:
    for token in (
        issue("portal", **VISITOR, session_id=ENDED),
        # The portal issues none without a session; whoever had its key could.
        signed(KEYS["portal"], {"kid": "portal"}, iss="opsfield/portal", roles=["client_portal"], clientId="client-1"),
    ):
        for _ in range(2):
            with pytest.raises(Unauthenticated):
                await caller(checks, token)


async def test_the_session_of_another_issuer_is_none_of_ours(checks: Authenticator) -> None:
    token = NAMESAKE.token(sid=ENDED, clientId="client-1")
    principal = (await caller(checks, token)).principal
    assert (principal.session_id, principal.client_id) == (None, None)


async def test_an_external_token_is_checked_as_ever(checks: Authenticator) -> None:
    assert (await caller(checks, NAMESAKE.token())).principal.subject == "user-1"


@pytest.mark.parametrize(
    ("changed", "roles"),
    [
        ({"roles": ["msp_admin"]}, set()),
        ({"roles": ["endpoint_agent", "msp_admin", "ops_engineer", 7]}, {"endpoint_agent"}),
        ({"roles": ["client_portal"], "clientId": "client-1"}, set()),
        ({"roles": ["endpoint_agent"], "agentId": None}, set()),
        ({"roles": []}, set()),
    ],
)
async def test_a_service_grants_its_own_role_and_no_other(
    checks: Authenticator, changed: dict[str, Any], roles: set[str]
) -> None:
    assert (await caller(checks, signed(**changed))).principal.roles == roles


PRINCIPAL = Principal("agent-7", frozenset({"endpoint_agent"}), "acme", agent_id=AGENT_ID)

FORGED = {
    "of no key of ours": signed(STRANGER),
    "another service's key": signed(KEYS["portal"]),
    "another service's key, under its name": signed(KEYS["portal"], {"kid": "portal"}),
    "another service's key and issuer, under ours": signed(KEYS["portal"], iss="opsfield/portal"),
    "in the name of another service": signed(iss="opsfield/portal"),
    "in the name of another service, with its key's id": signed(header={"kid": "portal"}, iss="opsfield/portal"),
    "of a service that issues none": signed(KEYS["ops"], {"kid": "ops"}, iss="opsfield/ops"),
    "of the gateway": signed(KEYS["gateway"], {"kid": "gateway"}, iss="opsfield/gateway"),
    "of a service that there is not": signed(header={"kid": "nobody"}, iss="opsfield/nobody"),
    "issuer of no service": signed(iss="opsfield/"),
    "issuer with more behind it": signed(iss="opsfield/telemetry/x"),
    "no key id": signed(header={"kid": None}),
    "our key for the external issuer": signed(iss=ISSUER),
    "our key for another issuer": signed(iss="https://issuer.evil"),
    "our key without an issuer": signed(iss=None),
    "the external issuer in our name": signed(OUTSIDE.private, {"kid": "outside"}),
    "the external issuer in our name, under our key's id": signed(NAMESAKE.private),
    "the development secret in our name": signed(SECRET, algorithm="HS256"),
    "HMAC with the public key": signed(
        KEYS["telemetry"].public_key().public_bytes_raw() + bytes(32), algorithm="HS256"
    ),
    "no type": signed(header={"typ": None}),
    "the type of any token": signed(header={"typ": "JWT"}),
    "an internal token's type": signed(header={"typ": "txntoken+jwt"}),
    "an internal token": TokenSigner("telemetry", KEYS["telemetry"]).sign(PRINCIPAL, "telemetry"),
    "an internal token for the same audience": TokenSigner("telemetry", KEYS["telemetry"]).sign(PRINCIPAL, AUDIENCE),
    "the gateway's own internal token": TokenSigner("gateway", KEYS["gateway"]).sign(PRINCIPAL, AUDIENCE),
    "another audience": signed(aud="telemetry"),
    "audiences": signed(aud=[AUDIENCE]),
    "no audience": signed(aud=None),
    "expired": signed(exp=NOW - 6),
    "no end": signed(exp=None),
    "issued in the future": signed(iat=NOW + 3600),
    "no time of issue": signed(iat=None),
    "no id": signed(jti=None),
    "no subject": signed(sub=None),
    "empty subject": signed(sub=""),
    "two workspaces": signed(workspaces=["acme", "other"]),
    "every workspace": signed(workspaces="*"),
    "no workspaces": signed(workspaces=None),
    "an empty list of workspaces": signed(workspaces=[]),
    "a workspace that is no text": signed(workspaces=[7]),
    "no roles": signed(roles=None),
    "roles as text": signed(roles="endpoint_agent"),
    "an empty agent id": signed(agentId=""),
    "an issuer that is no text": ".".join((issue().split(".")[0], "eyJpc3MiOiBbIm9wc2ZpZWxkL3RlbGVtZXRyeSJdfQ", "x")),
    "changed claims": ".".join((issue().split(".")[0], signed(sub="x").split(".")[1], issue().split(".")[2])),
    "no signature": issue().rsplit(".", 1)[0] + ".",
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_or_broken_token_is_refused(checks: Authenticator, token: str) -> None:
    with pytest.raises(Unauthenticated, match="The bearer token is not valid"):
        await caller(checks, token)


async def test_no_algorithm_but_ours_is_taken(checks: Authenticator) -> None:
    claims = jwt.decode(issue(), options={"verify_signature": False})
    headers = {"kid": "telemetry", "typ": "at+jwt"}
    with pytest.raises(Unauthenticated):
        await caller(checks, jwt.encode(claims, "", algorithm="none", headers=headers))


async def test_an_agent_needs_to_bring_no_more_than_its_token(
    http: httpx.AsyncClient, services: dict[str, FakeService], service_keys: dict[str, Ed25519PrivateKey]
) -> None:
    services["telemetry"].answers["IngestOtlpMetrics"] = lambda _: HttpBody(content_type="application/json", data=b"{}")
    issuer = BearerTokenIssuer("telemetry", service_keys["telemetry"], audience=AUDIENCE)
    lifetime = timedelta(minutes=5)
    token, _ = issuer.issue("agent-7", workspace_id="acme", role="endpoint_agent", lifetime=lifetime, agent_id=AGENT_ID)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    assert (await http.post("/v1/metrics", content=b"{}", headers=headers)).status_code == 200
    assert services["telemetry"].last.principal == PRINCIPAL
    tickets = await http.get("/api/v1/tickets", headers=headers | {"x-workspace-id": "acme"})
    assert (tickets.status_code, tickets.json()["code"]) == (403, "role-missing")
