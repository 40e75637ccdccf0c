"""The secrets of a local platform: made once, kept in its data folder, readable by their owner alone."""

import base64
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devstack.layout import GATEWAY, SERVICES, Layout
from kit.identity import private_keys

SIGNERS = (GATEWAY, *SERVICES)
"""Each program that signs internal tokens, which is also its key's id."""


def ensure_secrets(layout: Layout) -> None:
    """Make what is missing: a key pair per signer, the trust file of all public keys, the key that encrypts secrets,
    the one that signs the audit trail, the JWT and database secrets."""
    for path in (layout.jwt_secret, layout.database_password):
        if not path.exists():
            _write_private(path, secrets.token_urlsafe(48).encode())
    if not layout.key_encryption_keys.exists():
        _write_private(layout.key_encryption_keys, f"1 {base64.b64encode(secrets.token_bytes(32)).decode()}\n".encode())
    if not layout.audit_key.exists():
        _write_private(layout.audit_key, _new_key())
    for name in SIGNERS:
        if not layout.key(name).exists():
            _write_private(layout.key(name), _new_key())
    _write(layout.trust, json.dumps(trust(layout, SIGNERS), indent=2).encode(), mode=0o644)


def trust(layout: Layout, names: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """The JSON Web Key Set of the named signers' public keys."""
    return {"keys": [_public_jwk(name, key) for name in names for key in private_keys(layout.key(name))]}


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_jwk(name: str, key: Ed25519PrivateKey) -> dict[str, str]:
    point = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "kid": name, "alg": "EdDSA", "use": "sig", "x": point}


def _write_private(path: Path, content: bytes) -> None:
    _write(path, content, mode=0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    # Written beside and renamed: a crash in between must not leave half a key that every later start would use.
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    beside.replace(path)
