"""did:key (w3c-ccg.github.io/did-key-spec) of Ed25519 keys: the name is the key, so it resolves without any network.

`did:key:z` + base58btc(0xed 0x01 + the 32 bytes of the public key).
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PREFIX = "did:key:z"
# multicodec: ed25519-pub
_ED25519 = b"\xed\x01"
_KEY_BYTES = 32


def did_of(key: Ed25519PublicKey) -> str:
    return _PREFIX + _base58(_ED25519 + key.public_bytes_raw())


def key_of(did: str) -> Ed25519PublicKey:
    """Raises ValueError for what is no did:key of an Ed25519 key."""
    if not did.startswith(_PREFIX):
        raise ValueError(f"{did[:100]} is no did:key")
    data = _from_base58(did.removeprefix(_PREFIX))
    if not data.startswith(_ED25519) or len(data) != len(_ED25519) + _KEY_BYTES:
        raise ValueError(f"{did[:100]} holds no Ed25519 key")
    return Ed25519PublicKey.from_public_bytes(data[len(_ED25519) :])


def verification_method(did: str) -> str:
    """The one key of a did:key, as a JWT's `kid` names it."""
    return f"{did}#{did.removeprefix('did:key:')}"


def _base58(data: bytes) -> str:
    number, text = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def _from_base58(text: str) -> bytes:
    number = 0
    for letter in text:
        digit = _ALPHABET.find(letter)
        if digit < 0:
            raise ValueError("not base58btc")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8)
