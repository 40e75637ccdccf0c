"""Stored answers that hold a secret."""

import pytest

from kit.call import Call
from kit.errors import Conflict
from kit.sealing import Seal
from kit.tests.sample_service import a_call

KEY, ANSWER = bytes(range(32)), b"the secret answer"


def test_what_was_sealed_is_opened_by_the_same_call() -> None:
    sealed = Seal(KEY).close(ANSWER, a_call())
    assert Seal(KEY).open(sealed, a_call()) == ANSWER


def test_it_shows_nothing_and_never_looks_the_same() -> None:
    one, other = (Seal(KEY).close(ANSWER, a_call()) for _ in range(2))
    assert one != other
    assert b"secret" not in one + other


@pytest.mark.parametrize(
    "call",
    [a_call("key-2"), a_call(workspace="other"), a_call(subject="bob"), a_call(method="/Undo"), a_call(None)],
    ids=["key", "workspace", "subject", "method", "no key"],
)
def test_another_call_cannot_open_it(call: Call) -> None:
    sealed = Seal(KEY).close(ANSWER, a_call())
    with pytest.raises(Conflict) as refused:
        Seal(KEY).open(sealed, call)
    assert refused.value.code == "answer-gone"


@pytest.mark.parametrize(
    "change",
    [
        lambda sealed: bytes([sealed[0] ^ 1]) + sealed[1:],
        lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]),
        lambda sealed: sealed[:-1],
        lambda sealed: sealed[:12],
    ],
    ids=["nonce", "tag", "cut", "empty"],
)
def test_what_was_changed_cannot_be_opened(change: object) -> None:
    sealed = Seal(KEY).close(ANSWER, a_call())
    with pytest.raises(Conflict):
        Seal(KEY).open(change(sealed), a_call())  # type: ignore[operator]


def test_a_key_that_is_not_current_still_opens_what_it_closed() -> None:
    new = bytes(reversed(KEY))
    sealed = Seal(KEY, new).close(ANSWER, a_call())
    assert Seal(new, KEY).open(sealed, a_call()) == ANSWER
    with pytest.raises(Conflict):
        Seal(new).open(sealed, a_call())


def test_another_key_cannot_open_it() -> None:
    sealed = Seal(KEY).close(ANSWER, a_call())
    with pytest.raises(Conflict, match="its answer can be given no longer"):
        Seal(bytes(32)).open(sealed, a_call())
