"""Checkpoints: the size and root of a workspace's tree as a signed note (C2SP tlog-checkpoint, signed-note).

opsfield/<workspace>
<size>
<root in base64>

— opsfield/<workspace> <base64 of key id and signature>
"""

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.workflow.audit.credential import NotVerified

# signed-note: the kind of Ed25519 signatures.
_ED25519 = b"\x01"
_ID_BYTES = 4


@dataclass(frozen=True)
class Checkpoint:
    workspace_id: str
    size: int
    root: bytes


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """The checkpoint as a signed note."""
    name, text = _name(checkpoint.workspace_id), _text(checkpoint)
    signature = _key_id(name, key.public_key()) + key.sign(text.encode())
    return f"{text}\n— {name} {base64.b64encode(signature).decode()}\n"


def verify(note: str, key: Ed25519PublicKey) -> Checkpoint:
    """The checkpoint, if the key signed it. Raises NotVerified."""
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    try:
        name, size, root = text.splitlines()[:3]
        checkpoint = Checkpoint(name.removeprefix("opsfield/"), int(size), base64.b64decode(root, validate=True))
    except (ValueError, binascii.Error) as error:
        raise NotVerified("the checkpoint is none") from error
    if _text(checkpoint) != text:
        raise NotVerified("the checkpoint is none")
    for line in signatures.splitlines():
        if _signed(line, name, text, key):
            return checkpoint
    raise NotVerified("the checkpoint's signature is not right")


def _signed(line: str, name: str, text: str, key: Ed25519PublicKey) -> bool:
    dash, _, rest = line.partition(" ")
    signer, _, encoded = rest.partition(" ")
    try:
        signature = base64.b64decode(encoded, validate=True)
        if dash != "—" or signer != name or signature[:_ID_BYTES] != _key_id(name, key):
            return False
        key.verify(signature[_ID_BYTES:], text.encode())
    except (binascii.Error, InvalidSignature):
        return False
    return True


def _name(workspace_id: str) -> str:
    return f"opsfield/{workspace_id}"


def _text(checkpoint: Checkpoint) -> str:
    root = base64.b64encode(checkpoint.root).decode()
    return f"{_name(checkpoint.workspace_id)}\n{checkpoint.size}\n{root}\n"


def _key_id(name: str, key: Ed25519PublicKey) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + key.public_bytes_raw()).digest()[:_ID_BYTES]
