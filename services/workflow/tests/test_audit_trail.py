"""The audit trail as an auditor sees it: what was tampered with shows."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from services.workflow.audit import checkpoint, credential, did_key
from services.workflow.audit.__main__ import main
from services.workflow.audit.checkpoint import Checkpoint
from services.workflow.audit.credential import NO_PREVIOUS, Link, NotVerified, Record
from services.workflow.audit.merkle import EMPTY_ROOT, Tree, leaf_hash, node_hash
from services.workflow.audit.verify import verify_trail

KEY, OTHER_KEY = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
DID, OTHER_DID = (did_key.did_of(key.public_key()) for key in (KEY, OTHER_KEY))
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def record(number: int, workspace: str = "acme") -> Record:
    record_id = f"0197a0c2-5f5e-7b4c-9d8e-{number:012x}"
    return Record(record_id, workspace, "execution", record_id, {"n": number}, NOW + timedelta(seconds=number))


def trail(
    count: int = 5, workspace: str = "acme", keys: Callable[[int], Ed25519PrivateKey] = lambda n: KEY
) -> list[str]:
    tokens: list[str] = []
    for number in range(count):
        previous = credential.digest(tokens[-1]) if tokens else NO_PREVIOUS
        tokens.append(credential.sign(record(number, workspace), Link(number, previous), keys(number)))
    return tokens


def note(tokens: list[str], workspace: str = "acme", key: Ed25519PrivateKey = KEY) -> str:
    tree = reduce(Tree.add, (each.encode() for each in tokens), Tree())
    return checkpoint.sign(Checkpoint(workspace, tree.size, tree.root), key)


def export(tokens: list[str], signed: str) -> str:
    return json.dumps({"credentials": tokens, "checkpoint": signed})


def test_a_whole_trail_is_verified() -> None:
    tokens = trail()
    found = verify_trail(export(tokens, note(tokens)), [DID])
    assert (found.workspace_id, found.credentials, found.issuers) == ("acme", 5, (DID,))


def test_keys_rotate_without_breaking_what_they_signed() -> None:
    tokens = trail(6, keys=lambda n: KEY if n < 3 else OTHER_KEY)
    whole = export(tokens, note(tokens, key=OTHER_KEY))
    assert verify_trail(whole, [DID, OTHER_DID]).issuers == (DID, OTHER_DID)
    with pytest.raises(NotVerified, match="credential 0"):
        verify_trail(whole, [OTHER_DID])


def test_any_jwt_library_verifies_a_credential() -> None:
    [token] = trail(1)
    header = jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"], header["kid"].partition("#")[0]) == ("vc+jwt", "EdDSA", DID)
    payload = jwt.decode(token, did_key.key_of(DID), algorithms=["EdDSA"])
    assert payload["@context"] == ["https://www.w3.org/ns/credentials/v2"]
    assert payload["type"][0] == "VerifiableCredential"
    assert payload["credentialSubject"]["position"] == 0


def _resigned(token: str, change: Callable[[dict[str, Any]], None], key: Ed25519PrivateKey = OTHER_KEY) -> str:
    payload = jwt.decode(token, options={"verify_signature": False})
    change(payload)
    return jwt.encode(payload, key, algorithm="EdDSA", headers=jwt.get_unverified_header(token))


def _flip(token: str, part: int) -> str:
    parts = token.split(".")
    data = bytearray(base64.urlsafe_b64decode(parts[part] + "=="))
    data[len(data) // 2] ^= 1
    parts[part] = base64.urlsafe_b64encode(bytes(data)).decode().rstrip("=")
    return ".".join(parts)


TAMPERING: dict[str, Callable[[list[str]], list[str]]] = {
    "header flipped": lambda t: [*t[:2], _flip(t[2], 0), *t[3:]],
    "payload flipped": lambda t: [*t[:2], _flip(t[2], 1), *t[3:]],
    "signature flipped": lambda t: [*t[:2], _flip(t[2], 2), *t[3:]],
    "signed by another": lambda t: [*t[:2], _resigned(t[2], lambda p: p["credentialSubject"].update(n=9)), *t[3:]],
    "signed anew by ours, out of its place": lambda t: [*t[:2], trail(4)[3], *t[3:]],
    "first removed": lambda t: t[1:],
    "middle removed": lambda t: [*t[:2], *t[3:]],
    "last removed": lambda t: t[:-1],
    "all removed": lambda t: [],
    "two swapped": lambda t: [t[0], t[2], t[1], *t[3:]],
    "one doubled": lambda t: [*t[:3], t[2], *t[3:]],
    "one of another workspace": lambda t: [*t[:2], trail(5, "other")[2], *t[3:]],
    "one added": lambda t: [*t, credential.sign(record(5), Link(5, credential.digest(t[-1])), KEY)],
    "no signature": lambda t: [*t[:2], t[2].rpartition(".")[0] + ".", *t[3:]],
    "no token": lambda t: [*t[:2], "nonsense", *t[3:]],
    "rewritten from the middle": lambda t: [
        *t[:2],
        *[
            credential.sign(replace(record(n), claims={"n": 99}), Link(n, credential.digest(t[n - 1])), KEY)
            for n in range(2, 5)
        ],
    ],
}


@pytest.mark.parametrize("tamper", TAMPERING.values(), ids=TAMPERING)
def test_what_was_tampered_with_shows(tamper: Callable[[list[str]], list[str]]) -> None:
    tokens = trail()
    with pytest.raises(NotVerified):
        verify_trail(export(tamper(tokens), note(tokens)), [DID])


@pytest.mark.parametrize(
    "tamper",
    [
        lambda n: n.replace("\n5\n", "\n4\n"),
        lambda n: n.replace("acme", "other"),
        lambda n: n[:-4] + "AAA\n",
        lambda n: n.partition("\n\n")[0],
        lambda n: "",
        lambda n: note(trail(), key=OTHER_KEY),
        lambda n: note(trail(4)),
        lambda n: note(trail(), workspace="other"),
        lambda n: n.replace("\n5\n", "\n05\n"),
    ],
)
def test_a_checkpoint_that_was_tampered_with_shows(tamper: Callable[[str], str]) -> None:
    tokens = trail()
    with pytest.raises(NotVerified):
        verify_trail(export(tokens, tamper(note(tokens))), [DID])


def test_the_command_line_says_it_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokens, file = trail(), tmp_path / "trail.json"
    file.write_text(export(tokens, note(tokens)))
    assert main(["verify", str(file), "--issuer", DID]) == 0
    assert "5 credentials of workspace acme" in capsys.readouterr().out
    file.write_text(export(tokens[:-1], note(tokens)))
    assert main(["verify", str(file), "--issuer", DID]) == 1
    assert "NOT verified" in capsys.readouterr().err
    for wrong in ("[]", "{", '{"credentials": 1, "checkpoint": ""}', '{"credentials": [1], "checkpoint": ""}'):
        file.write_text(wrong)
        assert main(["verify", str(file), "--issuer", DID]) == 1
    assert main(["verify", str(tmp_path / "nothing"), "--issuer", DID]) == 2
    assert main(["verify", str(file), "--issuer", "did:web:example.com"]) == 2


def _root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(_root(leaves[:split]), _root(leaves[split:]))


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_a_tree_that_grows_is_the_tree_of_the_standard(leaves: list[bytes]) -> None:
    tree = reduce(Tree.add, leaves, Tree())
    assert (tree.size, tree.root) == (len(leaves), _root(leaves))
    assert Tree(tree.size, tree.frontier).add(b"x").root == _root([*leaves, b"x"])
    assert len(tree.frontier) == tree.size.bit_count()


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert (
        Tree().root == EMPTY_ROOT == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    )


def test_did_key_is_that_of_the_standard() -> None:
    # w3c-ccg.github.io/did-key-spec, 2.1 Ed25519.
    did = "did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH"
    key = did_key.key_of(did)
    assert isinstance(key, Ed25519PublicKey)
    assert did_key.did_of(key) == did


@given(st.binary(min_size=32, max_size=32))
def test_each_key_has_its_name(data: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(data).public_key()
    assert did_key.key_of(did_key.did_of(key)).public_bytes_raw() == key.public_bytes_raw()


@pytest.mark.parametrize(
    "wrong", ["", "did:web:example.com", "did:key:", "did:key:z", "did:key:z0OIl", DID[:-1], DID + "1"]
)
def test_what_is_no_name_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        did_key.key_of(wrong)
