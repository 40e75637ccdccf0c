"""google.protobuf.Struct, whose numbers are all doubles, as plain JSON values and back: whole numbers stay whole."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value

# Beyond, two whole numbers may be the same double (and RFC 8785 has no form for them).
_EXACT = 2**53 - 1
# Of objects and lists in one another. Each level is three of protobuf's, which reads 100, in whatever message it is.
MOST_LEVELS = 30


def to_json(struct: Struct) -> dict[str, Any]:
    """The object that a Struct holds."""
    return {name: _plain(value) for name, value in struct.fields.items()}


def from_json(values: Mapping[str, Any]) -> Struct:
    """A Struct that holds the object. Raises ValueError for what is no JSON value, or none that a Struct can hold."""
    if is_deeper(values, MOST_LEVELS):
        raise ValueError(f"it is nested deeper than {MOST_LEVELS} levels")
    struct = Struct()
    try:
        struct.update(values)
    except OverflowError as error:
        raise ValueError("it holds a number out of range") from error
    return struct


def is_deeper(value: Any, levels: int) -> bool:
    """Whether more objects and lists than that stand in one another."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(is_deeper(each, levels - 1) for each in inner)


def _plain(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) <= _EXACT else number
    if kind == "struct_value":
        return to_json(value.struct_value)
    if kind == "list_value":
        return [_plain(each) for each in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)
