"""Which tokens are believed. Every flaw gets the same answer."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.authentication import Authenticator
from gateway.jwks import Jwks
from gateway.own_tokens import OwnTokens
from gateway.sessions import Session
from gateway.tests.issuer import Issuer, running_issuer
from gateway.tests.tokens import AUDIENCE, ISSUER, SECRET, SigningKey, claims, dev_token
from kit.errors import Unauthenticated, Unavailable

RSA, EC, ED = (SigningKey(name.lower(), name) for name in ("RS256", "ES256", "EdDSA"))
STRANGER = SigningKey("rs256", "RS256")
NOW = int(time.time())
NO_OWN = OwnTokens(AUDIENCE, {})


async def no_session(session: Session) -> None:
    """None of these tokens is one of ours."""
    raise AssertionError(session)


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with running_issuer() as running:
        running.publish(*(key.jwk() for key in (RSA, EC, ED)))
        yield running


def authenticator(issuer: Issuer | None, *, secret: str | None = None) -> Authenticator:
    jwks = Jwks(issuer.url) if issuer else None
    return Authenticator(
        issuer=ISSUER, audience=AUDIENCE, jwks=jwks, dev_secret=secret, own=NO_OWN, check_session=no_session
    )


def part(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def unsigned(header: Any, body: Any = None, signature: str = "") -> str:
    return f"{part(header)}.{part(body or claims())}.{signature}"


def hmac_with(secret: bytes, header: dict[str, Any]) -> str:
    """A token whose HMAC is right for `secret`, whatever the library would allow."""
    text = unsigned(header)[:-1]
    return f"{text}.{part(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def resigned(key: SigningKey, header: dict[str, Any], body: Any = None) -> str:
    """A token with a right signature over any header and claims."""
    text = unsigned(header, body)[:-1]
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    return f"{text}.{part(algorithm.sign(text.encode(), key.private))}"


def odd(**changed: Any) -> str:
    """A token with a right signature over claims that no library writes."""
    return resigned(RSA, {"alg": "RS256", "kid": "rs256"}, claims(**changed))


def twice(key: SigningKey, header: str, more: str = "") -> str:
    """A token with a right signature over a text that no JSON library writes."""
    body = json.dumps(claims())
    text = f"{part(header.encode())}.{part(f'{{{more}{body[1:]}'.encode())}"
    return f"{text}.{part(jwt.get_algorithm_by_name(key.algorithm).sign(text.encode(), key.private))}"


PEM = RSA.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = RSA.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
GOOD = RSA.token()

FORGED = {
    "algorithm none": unsigned({"alg": "none", "typ": "JWT"}),
    "algorithm none, known key": unsigned({"alg": "none", "kid": "rs256"}),
    "algorithm nOnE": unsigned({"alg": "nOnE", "kid": "rs256"}),
    "algorithm none with a good signature": resigned(RSA, {"alg": "none", "kid": "rs256"}),
    "no algorithm": unsigned({"typ": "JWT", "kid": "rs256"}),
    "algorithm of another type": unsigned({"alg": ["RS256"], "kid": "rs256"}),
    "HMAC with the public key (PEM)": hmac_with(PEM, {"alg": "HS256", "kid": "rs256"}),
    "HMAC with the public key (DER)": hmac_with(DER, {"alg": "HS256", "kid": "rs256"}),
    "HMAC with the published key (JSON)": hmac_with(json.dumps(RSA.jwk()).encode(), {"alg": "HS256", "kid": "rs256"}),
    "HMAC with an empty secret": hmac_with(b"", {"alg": "HS256"}),
    "the development secret, naming a published key": hmac_with(SECRET.encode(), {"alg": "HS256", "kid": "rs256"}),
    "HS512 with the development secret": jwt.encode(claims(), SECRET, algorithm="HS512"),
    "another's key under a known id": STRANGER.token(),
    "another algorithm than the key's": resigned(RSA, {"alg": "PS256", "kid": "rs256"}),
    "RS512, which is not on the list": jwt.encode(claims(), RSA.private, algorithm="RS512", headers={"kid": "rs256"}),
    "ES256 with the id of an RSA key": EC.token({"kid": "rs256"}),
    "unknown key": RSA.token({"kid": "unknown"}),
    "no key id": jwt.encode(claims(), RSA.private, algorithm="RS256"),
    "key id that is a path": RSA.token({"kid": "../../dev/null"}),
    "key id that is SQL": RSA.token({"kid": "' OR 1=1 --"}),
    "empty key id": RSA.token({"kid": ""}),
    "key id of 7 kB": RSA.token({"kid": "a" * 5_000}),
    "key id with NUL": RSA.token({"kid": "rs256\0"}),
    "key id as an object": resigned(RSA, {"alg": "RS256", "kid": {"rs256": 1}}),
    "key id as a number": resigned(RSA, {"alg": "RS256", "kid": 1e308}),
    "key id given twice": twice(RSA, '{"alg":"RS256","kid":"unknown","kid":"rs256"}'),
    "algorithm given twice": twice(RSA, '{"alg":"none","kid":"rs256","alg":"RS256"}'),
    "a claim given twice": twice(RSA, '{"alg":"RS256","kid":"rs256"}', '"roles":["msp_admin"],'),
    "key id of another type": resigned(RSA, {"alg": "RS256", "kid": ["rs256"]}),
    "brings its own key": STRANGER.token({"jwk": STRANGER.jwk()}),
    "points to a key set": STRANGER.token({"jku": "http://127.0.0.1:1/keys"}),
    "points to a certificate": STRANGER.token({"x5u": "http://127.0.0.1:1/cert", "kid": "other"}),
    "critical extension": resigned(RSA, {"alg": "RS256", "kid": "rs256", "crit": ["x"], "x": 1}),
    "unencoded payload": resigned(RSA, {"alg": "RS256", "kid": "rs256", "b64": False, "crit": ["b64"]}),
    "an internal token's type": RSA.token({"typ": "txntoken+jwt"}),
    "an identity token's type": RSA.token({"typ": "dpop+jwt"}),
    "expired": RSA.token(exp=NOW - 31),
    "no exp": RSA.token(exp=None),
    "exp as text": RSA.token(exp="tomorrow"),
    "exp out of range": odd(exp=float("inf")),
    "exp as digits": odd(exp=str(NOW + 3600)),
    "exp in the year 10000": odd(exp=253_402_300_800),
    "exp beyond every float": odd(exp=10**400),
    "exp near the end of floats": odd(exp=1e308),
    "exp that is no number": odd(exp=float("nan")),
    "negative exp": odd(exp=-1),
    "exp that is true": odd(exp=True),
    "exp in a list": odd(exp=[NOW + 3600]),
    "no iat": RSA.token(iat=None),
    "iat that is true": odd(iat=True),
    "iat as digits": odd(iat=str(NOW)),
    "negative iat": odd(iat=-1e308),
    "nbf that is true": odd(nbf=True),
    "nbf as an object": odd(nbf={"seconds": NOW}),
    "nbf of many digits": odd(nbf=-(10**400)),
    "issued in the future": RSA.token(iat=NOW + 86_400),
    "not valid yet": RSA.token(nbf=NOW + 86_400),
    "no sub": RSA.token(sub=None),
    "empty sub": RSA.token(sub=""),
    "sub with a control character": RSA.token(sub="a\0b"),
    "very long sub": RSA.token(sub="x" * 201),
    "no iss": RSA.token(iss=None),
    "another issuer": RSA.token(iss="https://issuer.evil"),
    "issuer as a prefix": RSA.token(iss=ISSUER + ".evil"),
    "issuer with a slash more": RSA.token(iss=ISSUER + "/"),
    "no aud": RSA.token(aud=None),
    "another audience": RSA.token(aud="other"),
    "audiences": RSA.token(aud=[AUDIENCE]),
    "audience as a prefix": RSA.token(aud=AUDIENCE + "2"),
    "no roles": RSA.token(roles=None),
    "roles as text": RSA.token(roles="msp_admin"),
    "roles that are no texts": RSA.token(roles=["ops_engineer", 1]),
    "roles as an object": RSA.token(roles={"msp_admin": True}),
    "roles in roles": odd(roles=[["msp_admin"]]),
    "workspaces as a number": odd(workspaces=7),
    "workspaces as an object": odd(workspaces={"demo": 1}),
    "sub in a list": odd(sub=["user-1"]),
    "sub with half a character": odd(sub="a\ud800"),
    "iss in a list": odd(iss=[ISSUER]),
    "iss as an object": odd(iss={ISSUER: 1}),
    "workspaces as text": RSA.token(workspaces="demo"),
    "workspaces that are no texts": RSA.token(workspaces=[["demo"]]),
    "client id of another type": RSA.token(clientId=7),
    "agent id that is empty": RSA.token(agentId=""),
    "claims that are no object": resigned(RSA, {"alg": "RS256", "kid": "rs256"}, [1]),
    "changed claims": ".".join([GOOD.split(".")[0], part(claims(roles=["msp_admin"])), GOOD.split(".")[2]]),
    "cut signature": GOOD[:-4],
    "no signature": GOOD.rsplit(".", 1)[0] + ".",
    "two parts": GOOD.rsplit(".", 1)[0],
    "four parts": GOOD + ".x",
    "not base64": "a!.b!.c!",
    "what decoders skip": GOOD + "!",
    "padding": GOOD + "==",
    "a line break": GOOD.replace(".", "\n.", 1),
    "empty": "",
    "deep header": f"{part(b'[' * 5000)}.{part(claims())}.x",
    "very long": GOOD + "A" * 9000,
    "deep claims": odd(deep=json.loads("[" * 900 + "]" * 900)),
    "not ASCII": "é" * 20,
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_or_broken_token_is_refused(issuer: Issuer, token: str) -> None:
    both = authenticator(issuer, secret=SECRET)
    await both.authenticate(f"Bearer {GOOD}")
    with pytest.raises(Unauthenticated, match="The bearer token is not valid"):
        await both.authenticate(f"Bearer {token}")


async def test_a_flood_of_unknown_keys_asks_the_issuer_no_more_and_leaves_nothing_behind(issuer: Issuer) -> None:
    clock = [0.0]
    jwks = Jwks(issuer.url, clock=lambda: clock[0])
    checks = Authenticator(
        issuer=ISSUER, audience=AUDIENCE, jwks=jwks, dev_secret=None, own=NO_OWN, check_session=no_session
    )
    await checks.authenticate(f"Bearer {GOOD}")
    body, signature = GOOD.split(".")[1:]
    clock[0] += 31
    flood = [
        f"Bearer {part({'alg': 'RS256', 'kid': f'unknown-{number}'})}.{body}.{signature}" for number in range(2_000)
    ]
    answers = await asyncio.gather(*map(checks.authenticate, flood), return_exceptions=True)
    assert {type(each) for each in answers} == {Unauthenticated}
    assert issuer.requests == 2, "the first set, and one look for what is new"
    assert (len(checks._known), len(jwks._unknown)) == (1, 1)
    assert await checks.authenticate(f"Bearer {RSA.token(sub='user-2')}")


@pytest.mark.parametrize("header", ["", "Bearer", f"Basic {GOOD}", GOOD, f"Bearer {GOOD} {GOOD}", f"Bearer,{GOOD}"])
async def test_a_token_that_is_not_sent_as_bearer_is_refused(issuer: Issuer, header: str) -> None:
    with pytest.raises(Unauthenticated):
        await authenticator(issuer).authenticate(header)


async def test_no_token_is_told_that_one_is_needed(issuer: Issuer) -> None:
    with pytest.raises(Unauthenticated, match="needed"):
        await authenticator(issuer).authenticate(None)


@pytest.mark.parametrize("key", [RSA, EC, ED], ids=lambda key: key.algorithm)
async def test_a_good_token_says_who_asks(issuer: Issuer, key: SigningKey) -> None:
    token = key.token({"typ": "at+jwt"}, clientId="client-1", roles=["viewer", "client_portal", "astronaut"])
    caller = await authenticator(issuer).authenticate(f"bearer {token}")
    principal = caller.in_workspace("demo")
    assert principal
    assert (principal.subject, principal.workspace_id, principal.client_id) == ("user-1", "demo", "client-1")
    assert principal.roles == {"viewer", "client_portal"}
    assert caller.in_workspace("other") is None


async def test_a_token_within_the_leeway_of_its_end_is_good(issuer: Issuer) -> None:
    assert await authenticator(issuer).authenticate(f"Bearer {RSA.token(exp=int(time.time()) - 10)}")


async def test_a_role_that_needs_a_client_or_an_agent_is_none_without(issuer: Issuer) -> None:
    token = RSA.token(roles=["client_portal", "endpoint_agent", "viewer"])
    caller = await authenticator(issuer).authenticate(f"Bearer {token}")
    assert caller.principal.roles == {"viewer"}


async def test_a_star_means_every_workspace_and_nothing_means_none(issuer: Issuer) -> None:
    everywhere = await authenticator(issuer).authenticate(f"Bearer {RSA.token(workspaces='*')}")
    nowhere = await authenticator(issuer).authenticate(f"Bearer {RSA.token(workspaces=None)}")
    star = await authenticator(issuer).authenticate(f"Bearer {RSA.token(workspaces=['*'])}")
    assert everywhere.in_workspace("anything")
    assert nowhere.in_workspace("demo") is None
    assert star.in_workspace("demo") is None


async def test_the_development_secret_serves_without_an_issuer() -> None:
    caller = await authenticator(None, secret=SECRET).authenticate(f"Bearer {dev_token()}")
    assert caller.principal.subject == "user-1"


async def test_without_the_secret_no_hmac_is_good(issuer: Issuer) -> None:
    with pytest.raises(Unauthenticated):
        await authenticator(issuer).authenticate(f"Bearer {dev_token()}")


async def test_an_issuer_that_is_down_is_not_the_callers_fault(issuer: Issuer) -> None:
    issuer.fail()
    with pytest.raises(Unavailable):
        await authenticator(issuer).authenticate(f"Bearer {GOOD}")


async def test_a_token_is_verified_once_and_again_after_its_end() -> None:
    clock = [time.time()]
    again = Authenticator(
        issuer=ISSUER,
        audience=AUDIENCE,
        jwks=None,
        dev_secret=SECRET,
        own=NO_OWN,
        check_session=no_session,
        clock=lambda: clock[0],
    )
    header = f"Bearer {dev_token(exp=int(clock[0]) + 60)}"
    first = await again.authenticate(header)
    assert await again.authenticate(header) is first
    clock[0] += 61
    assert await again.authenticate(header) is not first


async def test_a_key_that_is_withdrawn_stops_working(issuer: Issuer) -> None:
    clock = [time.time()]
    jwks = Jwks(issuer.url, clock=lambda: clock[0])
    checks = Authenticator(
        issuer=ISSUER,
        audience=AUDIENCE,
        jwks=jwks,
        dev_secret=None,
        own=NO_OWN,
        check_session=no_session,
        clock=lambda: clock[0],
    )
    header = f"Bearer {RSA.token()}"
    await checks.authenticate(header)
    issuer.publish(EC.jwk())
    clock[0] += 301
    await checks.authenticate(f"Bearer {EC.token()}")
    assert jwks._fetching
    await jwks._fetching
    with pytest.raises(Unauthenticated):
        await checks.authenticate(header)
