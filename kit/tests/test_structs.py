"""Structs and the JSON they hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import structs
from opsfield.agent_runtime.v1.outcomes_pb2 import ExecutionFinished

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


def nested(levels: int, inner: Any = 1) -> Any:
    return {"a": nested(levels - 1, inner)} if levels else inner


def test_as_deep_as_it_may_be_a_message_can_hold_it() -> None:
    values = nested(structs.MOST_LEVELS)
    event = ExecutionFinished(evidence=structs.from_json(values))
    assert structs.to_json(ExecutionFinished.FromString(event.SerializeToString()).evidence) == values


@pytest.mark.parametrize("values", [nested(structs.MOST_LEVELS + 1), nested(20, [[nested(20)]]), {"a": [10**400]}])
def test_what_a_struct_cannot_hold_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match=r"nested deeper|out of range"):
        structs.from_json(values)


def test_whole_numbers_stay_whole() -> None:
    found = structs.to_json(structs.from_json({"a": 1, "b": 1.5, "c": [2, {"d": -3}], "e": 1e300}))
    assert found == {"a": 1, "b": 1.5, "c": [2, {"d": -3}], "e": 1e300}
    assert [type(each) for each in (found["a"], found["c"][0], found["c"][1]["d"])] == [int, int, int]
