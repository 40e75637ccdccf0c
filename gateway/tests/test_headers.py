"""How headers must be written."""

import pytest

from gateway import headers
from kit.errors import Malformed


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("abc", "abc"),
        ('"abc"', "abc"),
        (r'"a\"b\\"', r"a\"b\\".replace("\\\\", "\\").replace('\\"', '"')),
        ("!~" * 100, "!~" * 100),
    ],
)
def test_an_idempotency_key_may_be_bare_or_quoted(given: str, key: str) -> None:
    assert headers.idempotency_key({headers.IDEMPOTENCY: given}) == key


@pytest.mark.parametrize("given", [None, "", '""', "a b", "x" * 256, "clé", "a\tb", "\x7f"])
def test_an_unfit_idempotency_key_is_refused(given: str | None) -> None:
    with pytest.raises(Malformed):
        headers.idempotency_key({headers.IDEMPOTENCY: given} if given is not None else {})


@pytest.mark.parametrize(("given", "version"), [('"3"', "3"), (' "12" ', "12"), ("*", "*"), (None, None)])
def test_if_match_names_a_version(given: str | None, version: str | None) -> None:
    assert headers.if_match({headers.IF_MATCH: given} if given else {}) == version


@pytest.mark.parametrize("given", ["3", 'W/"3"', '"3", "4"', '"x"', '""', '"-1"', '"' + "9" * 19 + '"', "**", '"٣"'])
def test_any_other_if_match_is_refused(given: str) -> None:
    with pytest.raises(Malformed):
        headers.if_match({headers.IF_MATCH: given})


def test_if_none_match_may_list_tags_and_weak_ones() -> None:
    assert headers.none_match({headers.IF_NONE_MATCH: '"3", W/"4"'}) == {'"3"', '"4"'}
    assert headers.none_match({headers.IF_NONE_MATCH: " * "}) == {"*"}
    with pytest.raises(Malformed):
        headers.none_match({headers.IF_NONE_MATCH: "3"})


def test_a_header_that_may_come_once_is_noticed_when_it_comes_twice() -> None:
    assert headers.read([(b"if-match", b"*"), (b"if-match", b"*")])[1] == b"if-match"
    assert headers.read([(b"if-none-match", b'"1"'), (b"if-none-match", b'"2"')]) == (
        {b"if-none-match": '"1", "2"'},
        None,
    )
    assert headers.read([(b"accept", b"a"), (b"accept", b"b")]) == ({}, None)


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\nb", "é"])
def test_an_unfit_correlation_id_is_not_handed_on(given: str) -> None:
    assert headers.correlation_id({headers.CORRELATION: given}) is None


@pytest.mark.parametrize("given", ["", "00-1-2-01", "00-" + "a" * 32 + "-" + "b" * 16 + "-01-x"])
def test_a_malformed_traceparent_is_ignored(given: str) -> None:
    assert headers.traceparent({headers.TRACEPARENT: given}) is None
