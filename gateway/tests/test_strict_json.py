"""Which texts are taken as JSON."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import strict_json
from kit.errors import Malformed

# NUL is the one character refused, as PostgreSQL cannot store it; surrogates are no text.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"   ", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"{} {}", "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a": 1,}', "not valid JSON"),
        (b'{"a": 01}', "not valid JSON"),
        (b'"tab\there"', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"a": 1, "b": 2, "a": 1}', "the key 'a' twice"),
        (b'{"x": [{"a": 1, "a": 2}]}', "the key 'a' twice"),
        (b'{"a": 1, "\\u0061": 2}', "the key 'a' twice"),
        (b"NaN", "NaN is no JSON number"),
        (b"[Infinity]", "Infinity is no JSON number"),
        (b"[-Infinity]", "-Infinity is no JSON number"),
        (b"1e400", "out of range"),
        (b"[-1e400]", "out of range"),
        (b"1" * 4301, "too many digits"),
        (b"[" * 65 + b"]" * 65, "nested deeper than 64"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "nested deeper than 64"),
        (b"[" * 100_000, "nested deeper than 64"),
        (b'"\xff"', "not valid UTF-8"),
        (b'"\xed\xa0\x80"', "not valid UTF-8"),
        (b'"\\ud800"', "lone surrogate"),
        (b'{"\\udfff": 1}', "lone surrogate"),
        (b'"\\ude00\\ud83d"', "lone surrogate"),
        (b'["\\u0000"]', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
    ],
)
def test_refuses_what_two_readers_may_understand_differently(body: bytes, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        strict_json.loads(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": {"a": 1}}', {"a": {"a": 1}}),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        (b'"\\\\u0000"', "\\u0000"),
        (b"[" * 64 + b"1" + b"]" * 64, None),
        (b"1e308", 1e308),
        (b"9" * 4300, None),
        (b" \t\r\n1 ", 1),
        (b'"' + b"[" * 100 + b'"', "[" * 100),
    ],
)
def test_takes_what_is_unambiguous(body: bytes, value: Any) -> None:
    found = strict_json.loads(body)
    assert value is None or found == value


@given(VALUES, st.booleans())
def test_reads_what_was_written(value: Any, escaped: bool) -> None:
    assert strict_json.loads(json.dumps(value, ensure_ascii=escaped).encode()) == value


@given(st.binary(max_size=200))
def test_never_fails_but_with_a_problem(body: bytes) -> None:
    try:
        found = strict_json.loads(body)
    except Malformed:
        return
    assert not isinstance(found, float) or math.isfinite(found)
