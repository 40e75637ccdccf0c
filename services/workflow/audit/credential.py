"""A record as a W3C Verifiable Credential 2.0, secured as a JWT (W3C Securing Verifiable Credentials using JOSE and
COSE): the payload is the credential itself, the header says `typ: vc+jwt` and names the key as did:key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.workflow.audit import did_key

TYPE = "vc+jwt"
_CONTEXT = "https://www.w3.org/ns/credentials/v2"
_TYPES = {
    "execution": "OpsfieldExecutionCredential",
    "decision": "OpsfieldDecisionCredential",
    "privileged_action": "OpsfieldActionCredential",
}
# The chain begins with this.
NO_PREVIOUS = "0" * 64


@dataclass(frozen=True)
class Record:
    """What took place; `claims` are JSON."""

    id: str
    workspace_id: str
    kind: str
    subject_id: str
    claims: Mapping[str, Any]
    occurred_at: datetime


@dataclass(frozen=True)
class Link:
    """A record's place in its workspace's chain; `previous` is the digest of the credential before."""

    position: int
    previous: str


class NotVerified(Exception):
    """A credential is not what it says; tells why."""


def sign(record: Record, link: Link, key: Ed25519PrivateKey) -> str:
    """The credential, signed."""
    issuer = did_key.did_of(key.public_key())
    payload = {
        "@context": [_CONTEXT],
        "id": f"urn:uuid:{record.id}",
        "type": ["VerifiableCredential", _TYPES[record.kind]],
        "issuer": issuer,
        "validFrom": record.occurred_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "credentialSubject": {
            "id": f"urn:opsfield:{record.workspace_id}:{record.subject_id}",
            "workspace": record.workspace_id,
            "kind": record.kind,
            "position": link.position,
            "previousDigest": link.previous,
            **record.claims,
        },
    }
    return jwt.encode(
        payload, key, algorithm="EdDSA", headers={"kid": did_key.verification_method(issuer), "typ": TYPE}
    )


def verify(token: str, trusted: Mapping[str, Ed25519PublicKey]) -> dict[str, Any]:
    """The credential, if one of the trusted issuers (by did) signed it. Raises NotVerified."""
    try:
        header = jwt.get_unverified_header(token)
        issuer = str(header.get("kid", "")).partition("#")[0]
        if header.get("typ") != TYPE or issuer not in trusted:
            raise NotVerified("it is signed by none of the keys that are trusted")
        payload: dict[str, Any] = jwt.decode(
            token, trusted[issuer], algorithms=["EdDSA"], options={"verify_aud": False, "verify_iat": False}
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise NotVerified("its signature is not right") from error
    if payload.get("issuer") != issuer or not isinstance(payload.get("credentialSubject"), dict):
        raise NotVerified("it says another issuer than signed it")
    return payload


def digest(token: str) -> str:
    """By which the next one in the chain names it; SHA-256 in hexadecimal."""
    return sha256(token.encode()).hexdigest()
