"""Between messages, rows and table records."""

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from kit import contract
from kit.errors import FieldError, Invalid
from kit.resources.kind import Kind, Row

_TIMESTAMP = Timestamp.DESCRIPTOR.full_name


@cache
def message_builder(kind: Kind) -> Callable[[Any], Any]:
    """The function that makes the message of a record or row of the kind."""
    return builder_of(kind.message, number=kind.written_number if kind.number_prefix else None)


def builder_of(
    message: type[Message], *, number: Callable[[int], str] | None = None, without: Collection[str] = ()
) -> Callable[[Any], Any]:
    """The function that makes such a message of a record or row, but for the fields `without`; compiled once, since
    lists call it for every row. `number` writes the field of that name as people say it."""
    namespace: dict[str, Any] = {"Message": message, "number": number}
    arguments = [
        f"{each.name}={_build_expression(each, namespace)}" for each in _fields(message) if each.name not in without
    ]
    source = f"def build(r):\n    return Message({', '.join(arguments)})\n"
    name = message.DESCRIPTOR.full_name
    exec(compile(source, f"<message of {name}>", "exec"), namespace)  # noqa: S102 - from our own protos  # nosec B102
    function: Callable[[Any], Any] = namespace["build"]
    return function


def row_of(message: Message, fields: Iterable[FieldDescriptor]) -> Row:
    """The named fields of a message; unset ones are None, [] or {}."""
    return {each.name: _value(message, each) for each in fields}


def apply_mask(row: Row, message: Message, paths: Iterable[str], kind: Kind) -> None:
    """Set in `row` what the mask names; unset in the message means cleared. Raises Invalid for a path that cannot be
    written."""
    writable = {each.name: each for each in kind.writable}
    errors = []
    for path in paths:
        name, _, rest = path.partition(".")
        if name not in writable:
            known = name in kind.columns
            errors.append(FieldError(path, "is read-only" if known else "is not a field"))
        elif not rest:
            row[name] = _value(message, writable[name])
        else:
            nested = _value(getattr(message, name), _nested_field(writable[name], rest, path))
            row[name] = {**(row[name] or {}), rest: nested}
    if errors:
        raise Invalid.fields(*errors)


def search_text(kind: Kind, row: Row) -> str:
    """What `q` searches: every text of the resource in lower case, a line each."""
    texts = (text for name in kind.searchable for text in _texts(row.get(name)))
    return "\n".join(texts).lower()


def _fields(message: type[Message]) -> tuple[FieldDescriptor, ...]:
    return tuple(message.DESCRIPTOR.fields)  # type: ignore[arg-type]


def _nested_field(each: FieldDescriptor, name: str, path: str) -> FieldDescriptor:
    # A mask names no item of a list.
    found = each.message_type.fields_by_name.get(name) if each.message_type and not each.is_repeated else None
    if found is None:
        raise Invalid.fields(FieldError(path, "is not a field"))
    return found


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _build_expression(each: FieldDescriptor, namespace: dict[str, Any]) -> str:
    value = f"r[{each.name!r}]"
    if each.name == "number" and namespace["number"]:
        return f"number({value})"
    if each.enum_type is not None:
        namespace[f"numbers_{each.name}"] = contract.enum_words(each).get
        number = f"numbers_{each.name}"
        return f"[{number}(each) for each in {value}]" if each.is_repeated else f"{number}({value})"
    if each.message_type is None or each.message_type.full_name == _TIMESTAMP:
        return value
    name = f"nested_{each.name}"
    namespace[name] = _nested_builder(each.message_type)
    return f"[{name}(each) for each in {value} or ()]" if each.is_repeated else f"{name}({value}) if {value} else None"


@cache
def _nested_builder(descriptor: Descriptor) -> Callable[[Row], Message]:
    fields = {each.name: each for each in descriptor.fields}
    message_class = GetMessageClass(descriptor)

    def build(row: Row) -> Message:
        return message_class(**{name: _nested_value(fields[name], value) for name, value in row.items()})

    return build


def _nested_value(each: FieldDescriptor, value: Any) -> Any:
    if value is None:
        return None
    if each.enum_type is not None:
        words = contract.enum_words(each)
        return [words[item] for item in value] if each.is_repeated else words[value]
    if each.message_type is not None and each.message_type.full_name == _TIMESTAMP:
        return datetime.fromisoformat(value)
    if each.message_type is not None:
        build = _nested_builder(each.message_type)
        return [build(item) for item in value] if each.is_repeated else build(value)
    return value


def _value(message: Message, each: FieldDescriptor) -> Any:
    if each.message_type and each.message_type.GetOptions().map_entry:
        return dict(getattr(message, each.name))
    if each.is_repeated:
        return [_single(item, each) for item in getattr(message, each.name)]
    if each.has_presence and not message.HasField(each.name):
        return None
    return _single(getattr(message, each.name), each)


def _single(value: Any, each: FieldDescriptor) -> Any:
    if each.enum_type is not None:
        return each.enum_type.values_by_number[value].name.lower() if value else None
    if each.message_type is None:
        return value
    if each.message_type.full_name == _TIMESTAMP:
        return value.ToDatetime(tzinfo=UTC)
    nested = row_of(value, each.message_type.fields)
    return {name: item for name, item in nested.items() if item is not None}
