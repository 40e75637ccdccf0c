"""Who is asking, signed.

The gateway turns a caller's JWT into a short-lived internal token for one service; that service verifies the
signature and never reads a bare header. The shape follows draft-ietf-oauth-transaction-tokens: `typ` txntoken+jwt,
one audience, `exp` of a minute, EdDSA (Ed25519, RFC 8037). The key id is the signer's name, so that a key only
ever speaks for the process that owns it.

A program's key file may hold several keys: it signs with the first, and of the others knows what they derived. So may
the trust file of one name: any of them is believed. That is how keys are rotated (docs/operations.md).
"""

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kit.errors import Unauthenticated

LIFETIME = 60
# A token is handed out again until this little of its life is left (seconds).
REUSE_UNTIL = 30
_CACHE_SIZE = 10_000
_TYPE = "txntoken+jwt"
_PEM = re.compile(rb"-----BEGIN [^-]+-----.+?-----END [^-]+-----", re.DOTALL)

PublicKeys = Mapping[str, Sequence[Ed25519PublicKey]]


@dataclass(frozen=True)
class Principal:
    """Who asks, and for which workspace. `client_id`: a person of that client, who sees what is the client's alone.
    `session_id`: of one of our own sessions. `service` names the service when no person or agent is behind the call."""

    subject: str
    roles: frozenset[str] = frozenset()
    workspace_id: str | None = None
    client_id: str | None = None
    agent_id: str | None = None
    service: str | None = None
    session_id: str | None = None

    def has_any(self, roles: Iterable[str]) -> bool:
        return not self.roles.isdisjoint(roles)


def private_keys(path: Path) -> list[Ed25519PrivateKey]:
    """The keys of a PEM file, the current one first. Raises ValueError when one is not Ed25519, or there is none."""
    content = path.read_bytes()
    keys = []
    for pem in _PEM.findall(content) or [content]:
        key = load_pem_private_key(pem, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{path} holds no Ed25519 private key")
        keys.append(key)
    return keys


def private_key(path: Path) -> Ed25519PrivateKey:
    """The current key of a PEM file. Raises ValueError as `private_keys` does."""
    return private_keys(path)[0]


def public_keys(path: Path) -> PublicKeys:
    """The keys by the name of their owner. `path`: a JWKS (RFC 7517) of Ed25519 keys whose `kid` is that name, which
    may stand there more than once. Raises ValueError for any other."""
    keys: dict[str, list[Ed25519PublicKey]] = {}
    for entry in json.loads(path.read_text())["keys"]:
        key = jwt.PyJWK.from_dict(entry).key
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError(f"{path}: key {entry.get('kid')} is not an Ed25519 public key")
        keys.setdefault(entry["kid"], []).append(key)
    return keys


def decode_with_any(token: str, keys: Sequence[Ed25519PublicKey], **options: Any) -> dict[str, Any]:
    """The claims of a token that one of the keys has signed; `options` as jwt.decode takes them. Raises
    jwt.PyJWTError."""
    for key in keys:
        try:
            claims: dict[str, Any] = jwt.decode(token, key, algorithms=["EdDSA"], **options)
        except jwt.InvalidSignatureError:
            continue
        return claims
    raise jwt.InvalidSignatureError("signed by none of the keys")


class TokenSigner:
    """Signs principals for the services that `name` calls. Tokens are reused while they are fresh. `others`: keys of
    the same program that it signs with no longer, or not yet."""

    def __init__(self, name: str, key: Ed25519PrivateKey, others: Sequence[Ed25519PrivateKey] = ()) -> None:
        self._name = name
        self._key = key
        self._keys = (key, *others)
        self._tokens: dict[tuple[Principal, str], tuple[float, str]] = {}

    @classmethod
    def from_file(cls, name: str, path: Path) -> "TokenSigner":
        """`path`: as `private_keys` takes it. Raises ValueError as that does."""
        key, *others = private_keys(path)
        return cls(name, key, others)

    def derived_keys(self, purpose: str) -> tuple[bytes, ...]:
        """32 bytes of each of its private keys, the current one's first, that only those who have it can know (HKDF,
        RFC 5869)."""

        def derived(key: Ed25519PrivateKey) -> bytes:
            derivation = HKDF(hashes.SHA256(), length=32, salt=None, info=purpose.encode())
            return derivation.derive(key.private_bytes_raw())

        return tuple(map(derived, self._keys))

    def sign(self, principal: Principal, audience: str) -> str:
        """A token by which `audience` knows the principal, good for 30 to 60 seconds."""
        now = time.time()
        known = self._tokens.get((principal, audience))
        if known and known[0] - now > REUSE_UNTIL:
            return known[1]
        if len(self._tokens) >= _CACHE_SIZE:
            self._tokens.clear()
        token = self._encode(principal, audience, int(now))
        self._tokens[principal, audience] = (now + LIFETIME, token)
        return token

    def _encode(self, principal: Principal, audience: str, now: int) -> str:
        claims: dict[str, Any] = {
            "iss": self._name,
            "aud": audience,
            "iat": now,
            "exp": now + LIFETIME,
            "sub": principal.subject,
            "roles": sorted(principal.roles),
        }
        optional = {
            "workspace": principal.workspace_id,
            "client": principal.client_id,
            "agent": principal.agent_id,
            "service": principal.service,
            "session": principal.session_id,
        }
        claims |= {name: value for name, value in optional.items() if value is not None}
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._name, "typ": _TYPE})


class TokenVerifier:
    """Verifies tokens meant for `audience`, signed by anyone in the trust set."""

    def __init__(self, audience: str, keys: PublicKeys) -> None:
        self._audience = audience
        self._keys = keys
        self._known: dict[str, tuple[float, Principal]] = {}

    @classmethod
    def from_file(cls, audience: str, path: Path) -> "TokenVerifier":
        """`path`: as `public_keys` takes it."""
        return cls(audience, public_keys(path))

    def verify(self, token: str) -> Principal:
        """Raises Unauthenticated, without saying why, unless the token is genuine, meant for us and in time."""
        known = self._known.get(token)
        if known and known[0] > time.time():
            return known[1]
        try:
            claims = self._decode(token)
        except (jwt.PyJWTError, KeyError) as error:
            raise Unauthenticated("The internal token is missing or not valid.") from error
        principal = _principal(claims)
        if len(self._known) >= _CACHE_SIZE:
            self._known.clear()
        self._known[token] = (float(claims["exp"]), principal)
        return principal

    def _decode(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        if header.get("typ") != _TYPE:
            raise jwt.InvalidTokenError("wrong token type")
        signer = header["kid"]
        claims = decode_with_any(
            token,
            self._keys[signer],
            audience=self._audience,
            issuer=signer,
            leeway=5,
            options={"require": ["iss", "aud", "iat", "exp", "sub"], "strict_aud": True},
        )
        if claims["exp"] - claims["iat"] > LIFETIME or claims.get("service") not in (None, signer):
            raise jwt.InvalidTokenError("lives too long, or speaks for another service")
        return claims


def _principal(claims: dict[str, Any]) -> Principal:
    return Principal(
        subject=claims["sub"],
        roles=frozenset(claims.get("roles", ())),
        workspace_id=claims.get("workspace"),
        client_id=claims.get("client"),
        agent_id=claims.get("agent"),
        service=claims.get("service"),
        session_id=claims.get("session"),
    )
