"""Verifies an exported audit trail without the platform: only this file's folder, PyJWT and cryptography are needed.

What is read is JSON: `{"credentials": [JWT, …], "checkpoint": note}`, the credentials in the order of the chain. The
keys that are trusted come from the caller, never from the file.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.workflow.audit import checkpoint as checkpoints
from services.workflow.audit import did_key
from services.workflow.audit.credential import NO_PREVIOUS, NotVerified, digest, verify
from services.workflow.audit.merkle import Tree


@dataclass(frozen=True)
class Verified:
    """What was found to be right: a workspace's whole chain."""

    workspace_id: str
    credentials: int
    issuers: tuple[str, ...]


def verify_trail(text: str, issuers: Sequence[str]) -> Verified:
    """`issuers` are the did:keys that are trusted. Raises NotVerified, saying what is wrong and where; ValueError for
    an issuer that is none."""
    trusted = {each: did_key.key_of(each) for each in issuers}
    tokens, note = _read(text)
    tree, previous, workspace, seen = Tree(), NO_PREVIOUS, None, dict[str, None]()
    for position, token in enumerate(tokens):
        subject, issuer = _link(token, position, previous, workspace, trusted)
        workspace, previous = subject["workspace"], digest(token)
        tree = tree.add(token.encode())
        seen[issuer] = None
    _check_root(note, tree, workspace, trusted)
    return Verified(workspace or "", len(tokens), tuple(seen))


def _link(
    token: str, position: int, previous: str, workspace: str | None, trusted: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    try:
        credential = verify(token, trusted)
    except NotVerified as error:
        raise NotVerified(f"credential {position}: {error}") from error
    subject = credential["credentialSubject"]
    if subject.get("position") != position:
        raise NotVerified(f"credential {position}: it says to be number {subject.get('position')}")
    if subject.get("previousDigest") != previous:
        raise NotVerified(f"credential {position}: it does not follow the one before it")
    if workspace is not None and subject.get("workspace") != workspace:
        raise NotVerified(f"credential {position}: it is of another workspace")
    return subject, credential["issuer"]


def _check_root(note: str, tree: Tree, workspace: str | None, trusted: dict[str, Any]) -> None:
    checkpoint = _checkpoint(note, trusted)
    if checkpoint.size != tree.size:
        raise NotVerified(f"the checkpoint is over {checkpoint.size} credentials, but there are {tree.size}")
    if checkpoint.root != tree.root:
        raise NotVerified("the checkpoint is over other credentials")
    if workspace is not None and checkpoint.workspace_id != workspace:
        raise NotVerified("the checkpoint is of another workspace")


def _checkpoint(note: str, trusted: dict[str, Any]) -> checkpoints.Checkpoint:
    for key in trusted.values():
        try:
            return checkpoints.verify(note, key)
        except NotVerified:
            continue
    raise NotVerified("the checkpoint is signed by none of the keys that are trusted")


def _read(text: str) -> tuple[list[str], str]:
    try:
        found = json.loads(text)
        tokens, note = found["credentials"], found["checkpoint"]
        if not isinstance(note, str) or not all(isinstance(each, str) for each in tokens):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotVerified("the file is no export: it must hold credentials and a checkpoint") from error
    return tokens, note
