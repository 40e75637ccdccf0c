"""The JSON of our contract as protobuf messages: of events, and of what reasoners propose."""

from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from kit import contract, validation
from kit.errors import Invalid

M = TypeVar("M", bound=Message)


def said(data: Mapping[str, Any], message_class: type[M]) -> M:
    """The message of an event, its limits checked; fields that are new since are left aside. Raises Invalid."""
    message = message_class()
    try:
        ParseDict(with_enum_names(data, message.DESCRIPTOR), message, ignore_unknown_fields=True)
    except ParseError as error:
        raise Invalid(f"The event does not hold a {message.DESCRIPTOR.name}: {error}") from error
    validation.check(message)
    return message


def with_enum_names(data: Mapping[str, Any], descriptor: contract.MessageType) -> dict[str, Any]:
    """The JSON as protobuf's parser wants it: enum words in upper case."""
    found = dict(data)
    for field in descriptor.fields:
        if field.json_name in found:
            found[field.json_name] = _named(found[field.json_name], field)
    return found


def _named(value: Any, field: contract.Field) -> Any:
    if isinstance(value, list):
        return [_named(each, field) for each in value]
    if field.enum_type is not None and isinstance(value, str):
        return value.upper()
    nested = field.message_type
    if nested is not None and isinstance(value, dict) and not nested.file.package.startswith("google.protobuf"):
        return with_enum_names(value, nested)
    return value
