"""Tokens and keys for tests."""

import time
from collections.abc import Callable
from typing import Any, ClassVar

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER, AUDIENCE = "https://issuer.test", "opsfield"
SECRET = "a development secret that is long enough for every HMAC, 64 bytes and more"


def claims(**changed: Any) -> dict[str, Any]:
    """A good token's claims, with some changed; None takes one out."""
    now = int(time.time())
    good: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-1",
        "iat": now,
        "exp": now + 86_400,
        "roles": ["ops_engineer"],
        "workspaces": ["demo"],
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def dev_token(**changed: Any) -> str:
    """Signed with the development secret."""
    return jwt.encode(claims(**changed), SECRET, algorithm="HS256")


def bearer(**changed: Any) -> dict[str, str]:
    """The headers of a caller at work in `demo`."""
    return {"authorization": f"Bearer {dev_token(**changed)}", "x-workspace-id": "demo"}


class SigningKey:
    """An issuer's key pair of one algorithm."""

    _MAKERS: ClassVar[dict[str, Callable[[], Any]]] = {
        "RS256": lambda: rsa.generate_private_key(65537, 2048),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }

    def __init__(self, key_id: str, algorithm: str, private: Any = None) -> None:
        self.key_id = key_id
        self.algorithm = algorithm
        self.private = private or self._MAKERS[algorithm]()

    def jwk(self, **changed: Any) -> dict[str, Any]:
        """The public key as the issuer publishes it."""
        public = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.key_id, "use": "sig", "alg": self.algorithm} | changed

    def token(self, headers: dict[str, Any] | None = None, **changed: Any) -> str:
        all_headers = {"kid": self.key_id} | (headers or {})
        return jwt.encode(claims(**changed), self.private, algorithm=self.algorithm, headers=all_headers)
