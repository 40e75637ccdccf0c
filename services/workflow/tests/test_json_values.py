"""The canonical form: one for each value, whatever the order it was written in."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import structs
from services.workflow import json_values

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_what_a_struct_holds_has_one_form(values: dict[str, Any]) -> None:
    try:
        held = structs.to_json(structs.from_json(values))
    except (OverflowError, ValueError):
        # A whole number beyond what a double can hold is none of JSON's.
        return
    data = json_values.canonical(held)
    assert json_values.canonical(dict(reversed(held.items()))) == data
    # Every number of JSON's is a double.
    assert json.loads(data, parse_int=float) == held


def test_the_form_is_that_of_the_rfc() -> None:
    assert json_values.canonical({"b": [56.0, 1e30, 4.5], "a": "€\n", "é": None}) == (
        '{"a":"€\\n","b":[56,1e+30,4.5],"é":null}'.encode()
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        json_values.canonical({"a": value})


@pytest.mark.parametrize(
    ("value", "found"), [({"a": ["x\0"]}, True), ({"\0": 1}, True), ({"a": ["x", 1, None]}, False)]
)
def test_nul(value: Any, found: bool) -> None:
    assert json_values.holds_nul(value) is found
