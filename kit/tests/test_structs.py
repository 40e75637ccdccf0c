"""Structs and the JSON they hold."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kit import structs

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_what_goes_in_comes_out(values: dict[str, Any]) -> None:
    assert structs.to_json(structs.from_json(values)) == values


def test_whole_numbers_stay_whole() -> None:
    found = structs.to_json(structs.from_json({"a": 1, "b": 1.5, "c": [2, {"d": -3}], "e": 1e300}))
    assert found == {"a": 1, "b": 1.5, "c": [2, {"d": -3}], "e": 1e300}
    assert [type(each) for each in (found["a"], found["c"][0], found["c"][1]["d"])] == [int, int, int]
