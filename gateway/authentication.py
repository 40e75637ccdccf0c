"""Who is asking: a bearer token (RFC 6750, RFC 7519) becomes a caller.

The rules are those of RFC 8725: the algorithm comes from a list and must be the key's own, every claim is checked for
its type, nothing that a token says of its key (`jku`, `x5u`, `jwk`) is followed, and what can be read in two ways
(a claim given twice) is no token.
"""

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
from jwt.utils import base64url_decode

from gateway import strict_json
from gateway.exchange import ANONYMOUS
from gateway.jwks import Jwks
from gateway.own_tokens import OwnTokens
from gateway.sessions import Session
from kit.bearer_tokens import SCOPE_OF_ROLE
from kit.errors import Malformed, Unauthenticated
from kit.identity import Principal
from opsfield.options.v1 import policy_pb2

LEEWAY = 30
# A token is checked again after this long, so that a key the issuer withdraws stops working (seconds).
_TRUSTED_FOR = 300.0
_MOST_CALLERS = 10_000
_LONGEST_TOKEN = 8192
_LONGEST_NAME = 200
# The end of the year 9999, in seconds since 1970.
_LATEST = 253_402_300_799
# RFC 7515, 7.1. Decoders skip what is no base64url; here it makes no token.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")

_ROLES = frozenset(word.lower() for word, number in policy_pb2.Role.items() if number)
_TYPES = frozenset({"JWT", "AT+JWT"})
_ASYMMETRIC = frozenset({"RS256", "ES256", "EdDSA"})


@dataclass(frozen=True)
class Caller:
    """Who a token speaks for. `workspaces` None: a member of all. `principal` names no workspace yet. `session`: one of
    ours, in which the token is good."""

    principal: Principal
    workspaces: frozenset[str] | None
    session: Session | None = None
    _in_workspace: dict[str, Principal] = field(default_factory=dict, compare=False, repr=False)

    @property
    def only_workspace(self) -> str | None:
        """The one workspace that the token is for; None when there are more, or none."""
        return next(iter(self.workspaces)) if self.workspaces is not None and len(self.workspaces) == 1 else None

    def in_workspace(self, workspace_id: str) -> Principal | None:
        """The caller at work in that workspace; None when it is no member."""
        if known := self._in_workspace.get(workspace_id):
            return known
        if self.workspaces is not None and workspace_id not in self.workspaces:
            return None
        if len(self._in_workspace) >= _MOST_CALLERS:
            self._in_workspace.clear()
        self._in_workspace[workspace_id] = found = Principal(
            subject=self.principal.subject,
            roles=self.principal.roles,
            workspace_id=workspace_id,
            client_id=self.principal.client_id,
            agent_id=self.principal.agent_id,
            session_id=self.principal.session_id,
        )
        return found


EVERYONE = Caller(Principal(ANONYMOUS.subject, frozenset({"msp_admin"})), workspaces=None)


class Authenticator:
    """Checks tokens of one issuer for one audience, by its published keys and, in development, a shared secret. `own`
    checks those of our own services, `check_session` (which raises Unauthenticated) whether their session goes on."""

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        jwks: Jwks | None,
        dev_secret: str | None,
        own: OwnTokens,
        check_session: Callable[[Session], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._jwks = jwks
        self._dev_secret = dev_secret
        self._own = own
        self._check_session = check_session
        self._clock = clock
        self._known: dict[str, tuple[float, Caller]] = {}

    async def authenticate(self, authorization: str | None) -> Caller:
        """`authorization`: the header's value. Raises Unauthenticated, the same for every flaw of a token, or
        Unavailable when the issuer's keys cannot be had, or nobody knows whether its session goes on."""
        if authorization is None:
            raise Unauthenticated("A bearer token is needed.")
        caller = await self._caller_of(authorization)
        if caller.session is not None:
            await self._check_session(caller.session)
        return caller

    async def _caller_of(self, authorization: str) -> Caller:
        known = self._known.get(authorization)
        if known and known[0] > self._clock():
            return known[1]
        try:
            claims, session = await self._verify(_bearer_token(authorization))
            caller = _caller(claims, session)
        except _FLAWS as error:
            raise Unauthenticated("The bearer token is not valid.") from error
        if len(self._known) >= _MOST_CALLERS:
            self._known.clear()
        self._known[authorization] = (min(float(claims["exp"]), self._clock() + _TRUSTED_FOR), caller)
        return caller

    async def _verify(self, token: str) -> tuple[dict[str, Any], Session | None]:
        if self._own.claims_to_be(token):
            claims = self._own.verify(token)
            return claims, self._own.session_of(claims)
        header = jwt.get_unverified_header(token)
        if str(header.get("typ", "JWT")).upper() not in _TYPES:
            raise _Unfit
        algorithm, key = await self._key(header.get("alg"), header.get("kid"))
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY,
            options={"require": ["exp", "iat", "sub", "iss", "aud"], "strict_aud": True},
        )
        return claims, None

    async def _key(self, algorithm: object, key_id: object) -> tuple[str, Any]:
        if algorithm == "HS256" and self._dev_secret:
            # A token that names a public key is never checked as an HMAC.
            if self._jwks and isinstance(key_id, str) and self._jwks.knows(key_id):
                raise _Unfit
            return "HS256", self._dev_secret
        if self._jwks is None or algorithm not in _ASYMMETRIC or not isinstance(key_id, str):
            raise _Unfit
        found = await self._jwks.key(key_id)
        if found is None or found.algorithm != algorithm:
            raise _Unfit
        return found.algorithm, found.key


class _Unfit(Exception):
    """The token is not one of ours."""


# A forged token may also make the parsers give up: JSON nested too deep, numbers out of range, wrong types.
_FLAWS = (jwt.PyJWTError, _Unfit, Malformed, ValueError, TypeError, ArithmeticError, RecursionError)


def _bearer_token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or len(token) > _LONGEST_TOKEN or not _COMPACT.fullmatch(token):
        raise _Unfit
    for part in token.split(".")[:2]:
        strict_json.loads(base64url_decode(part))
    return token


def _caller(claims: dict[str, Any], session: Session | None) -> Caller:
    subject = claims["sub"]
    if not _is_name(subject) or not all(_is_time(claims[name]) for name in ("exp", "iat", "nbf") if name in claims):
        raise _Unfit
    given = _texts(claims.get("roles")) & _ROLES
    roles = frozenset(role for role in given if role not in SCOPE_OF_ROLE or claims.get(SCOPE_OF_ROLE[role]))
    workspaces = claims.get("workspaces", [])
    client_id, agent_id = _optional(claims, "clientId"), _optional(claims, "agentId")
    principal = Principal(
        subject,
        roles,
        # Elsewhere the claim may mean something else; here it binds to a client whatever one does.
        client_id=client_id if "client_portal" in roles else None,
        agent_id=agent_id,
        session_id=session.id if session else None,
    )
    return Caller(principal, None if workspaces == "*" else _texts(workspaces), session)


def _texts(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _Unfit
    return frozenset(value)


def _optional(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and not _is_name(value):
        raise _Unfit
    return value


def _is_time(value: object) -> bool:
    """A NumericDate (RFC 7519, 2); what JSON and Python would make one, a text or `true`, is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LATEST


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()
