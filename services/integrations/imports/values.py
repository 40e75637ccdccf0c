"""What a cell or a JSON value becomes in a field of a message."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from kit import contract
from kit.resources.kind import is_decimal
from services.integrations.imports.rules import Decimal, undefused

_TIMESTAMP = Timestamp.DESCRIPTOR.full_name
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}
_BITS = {FieldDescriptor.CPPTYPE_INT32: 31, FieldDescriptor.CPPTYPE_INT64: 63}


class ValueProblemError(Exception):
    """`path`: inside of the value, `[2].city`; empty for the value itself."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path

    def within(self, outer: str) -> "ValueProblemError":
        """The same, seen from outside."""
        return ValueProblemError(str(self), outer + self.path)


def from_text(field: FieldDescriptor, text: str) -> Any:
    """The value of a cell, as `from_json` gives it. An empty one is None. Items of a list are separated by `;`, what
    has parts is JSON. Raises ValueProblemError."""
    if not text:
        return None
    if field.message_type is not None and field.message_type.full_name != _TIMESTAMP:
        try:
            return from_json(field, json.loads(text, parse_float=Decimal))
        except (ValueError, RecursionError) as error:
            raise ValueProblemError(f"must be JSON: {error}") from error
    if field.is_repeated:
        items = [each.strip() for each in undefused(text).split(";")]
        return [_of_text(field, each) for each in items if each]
    return _of_text(field, text)


def from_json(field: FieldDescriptor, value: Any) -> Any:
    """What the field takes: a list if it is repeated, a message, a datetime, an enum's number. None: null. Raises
    ValueProblemError."""
    if value is None:
        return None
    if not field.is_repeated:
        return _single(field, value)
    if not isinstance(value, list):
        raise ValueProblemError("must be a list")
    return [_item(field, place, each) for place, each in enumerate(value)]


def put(message: Message, path: tuple[FieldDescriptor, ...], value: Any) -> None:
    """Set the field at the path to what `from_json` gave; None leaves it unset."""
    if value is None:
        return
    parent: Any = message
    for each in path[:-1]:
        parent = getattr(parent, each.name)
    field = path[-1]
    if field.is_repeated:
        getattr(parent, field.name).extend(value)
    elif isinstance(value, Message):
        getattr(parent, field.name).CopyFrom(value)
    elif isinstance(value, datetime):
        getattr(parent, field.name).FromDatetime(value)
    else:
        setattr(parent, field.name, value)


def _of_text(field: FieldDescriptor, text: str) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        return text.strip() if is_decimal(field) else undefused(text)
    word = text.strip()
    if field.cpp_type in _BITS:
        if not _INTEGER.fullmatch(word):
            raise ValueProblemError("must be a whole number")
        return _single(field, int(word))
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if word.lower() not in _TRUE | _FALSE:
            raise ValueProblemError("must be true or false")
        return word.lower() in _TRUE
    return _single(field, word)


def _item(field: FieldDescriptor, place: int, value: Any) -> Any:
    try:
        return _single(field, value)
    except ValueProblemError as problem:
        raise problem.within(f"[{place}]") from problem


def _single(field: FieldDescriptor, value: Any) -> Any:
    if field.enum_type is not None:
        return _enum(field, value)
    if field.message_type is not None:
        return _instant(value) if field.message_type.full_name == _TIMESTAMP else _message(field, value)
    if field.cpp_type in _BITS:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueProblemError("must be a whole number")
        if not -(2 ** _BITS[field.cpp_type]) <= value < 2 ** _BITS[field.cpp_type]:
            raise ValueProblemError("is out of range")
        return value
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if not isinstance(value, bool):
            raise ValueProblemError("must be true or false")
        return value
    if field.type != FieldDescriptor.TYPE_STRING:
        raise ValueProblemError("cannot be imported")
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueProblemError("must be a text")


def _enum(field: FieldDescriptor, value: Any) -> int:
    words = contract.enum_words(field)
    number = words.get(value.strip().lower().replace(" ", "_")) if isinstance(value, str) else None
    if number is None:
        raise ValueProblemError(f"must be one of {', '.join(words)}")
    return number


def _instant(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value)
        is_whole = found.tzinfo is not None and bool(found.astimezone(UTC))
    except (TypeError, ValueError, OverflowError):
        is_whole = False
    if not is_whole:
        raise ValueProblemError("must be a time with its zone, as in 2026-02-28T09:30:00Z")
    return found


def _message(field: FieldDescriptor, value: Any) -> Message:
    assert field.message_type is not None
    if not isinstance(value, dict):
        raise ValueProblemError("must be a JSON object")
    fields = {each.json_name: each for each in field.message_type.fields if not contract.is_output_only(each)}
    message = GetMessageClass(field.message_type)()
    for name, inner in value.items():
        if name not in fields:
            raise ValueProblemError("is not a field", f".{name}")
        try:
            put(message, (fields[name],), from_json(fields[name], inner))
        except ValueProblemError as problem:
            raise problem.within(f".{name}") from problem
    return message
