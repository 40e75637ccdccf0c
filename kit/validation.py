"""The limits of the contract's fields, checked on a protobuf message.

The gateway checks the same limits on the JSON; services check them again, since a gRPC caller skips the gateway.
One function per message type is put together once.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from kit import contract
from kit.errors import FieldError, Invalid
from kit.formats import COMPILED, DESCRIPTIONS, EXISTS

Check = Callable[[Any, str], Iterator[FieldError]]


def check(message: Message) -> None:
    """Raises Invalid with every error at once."""
    errors = list(_check_fields(message, "", None))
    if errors:
        raise Invalid.fields(*errors)


def check_request(request: Message, body: str = "") -> None:
    """Check a request. `body` names the field that is the HTTP body: paths of errors in it begin there, as at the
    gateway. In an update, the body's fields count only as far as the mask names them."""
    mask = getattr(request, "update_mask", None)
    if body in ("", "*") or not (mask or request.HasField(body)):
        check(request)
        return
    others = frozenset(field.name for field in request.DESCRIPTOR.fields) - {body, "update_mask"}
    message = getattr(request, body)
    named = _check_fields(message, "", None) if mask is None else _check_named(message, "", mask.paths)
    errors = [*_check_fields(request, "", others), *named]
    if errors:
        raise Invalid.fields(*errors)


def _check_fields(message: Message, prefix: str, only: frozenset[str] | None) -> Iterator[FieldError]:
    """`only` names the fields to look at; None: all."""
    for name, json_name, field_check in _checks(message.DESCRIPTOR):
        if only is None or name in only:
            yield from field_check(message, prefix + json_name)


def _check_named(message: Any, prefix: str, paths: Iterable[str]) -> Iterator[FieldError]:
    """Check what the paths of a mask name: of a nested message, too, only the fields that are sent."""
    parts = [path.partition(".") for path in paths]
    yield from _check_fields(message, prefix, frozenset(name for name, _, rest in parts if not rest))
    for name in dict.fromkeys(name for name, _, rest in parts if rest):
        field = message.DESCRIPTOR.fields_by_name.get(name)
        # What is no message cannot be named so; whoever applies the mask refuses it.
        if field is not None and field.message_type is not None and not field.is_repeated:
            inner = [rest for each, _, rest in parts if each == name and rest]
            yield from _check_named(getattr(message, name), f"{prefix}{field.json_name}.", inner)


@cache
def _checks(descriptor: Descriptor) -> tuple[tuple[str, str, Check], ...]:
    return tuple(
        (field.name, field.json_name, found)
        for field in descriptor.fields
        if not contract.is_output_only(field) and (found := _field_check(field))
    )


def _field_check(field: FieldDescriptor) -> Check | None:
    single = _single_check(field)
    if field.is_repeated:
        return _repeated_check(field, single)
    return _presence_check(field, single)


def _presence_check(field: FieldDescriptor, single: Check | None) -> Check | None:
    # A formatted text that cannot be absent cannot be empty either: the id in a path.
    required = contract.is_required(field) or bool(contract.field_options(field).format and not field.has_presence)
    name = field.name

    def run(message: Any, path: str) -> Iterator[FieldError]:
        value = getattr(message, name)
        if message.HasField(name) if field.has_presence else value or not required:
            if single and (field.has_presence or value):
                yield from single(value, path)
        elif required:
            yield FieldError(path, "is required")

    return run if single or required else None


def _repeated_check(field: FieldDescriptor, single: Check | None) -> Check | None:
    name, most = field.name, contract.field_options(field).max_items

    def run(message: Any, path: str) -> Iterator[FieldError]:
        values = getattr(message, name)
        if most and len(values) > most:
            yield FieldError(path, f"must have at most {most} items")
        if single and not (field.message_type and field.message_type.GetOptions().map_entry):
            for index, value in enumerate(values):
                yield from single(value, f"{path}[{index}]")

    return run if single or most else None


def _single_check(field: FieldDescriptor) -> Check | None:
    if field.enum_type is not None:
        return _enum_check(field)
    if field.message_type is not None:
        nested = field.message_type
        if nested.file.package.startswith("google.protobuf") or nested.GetOptions().map_entry:
            return None
        return lambda value, path: _check_fields(value, f"{path}.", None)
    if field.type == FieldDescriptor.TYPE_STRING:
        return _string_check(field)
    return _number_check(field)


def _enum_check(field: FieldDescriptor) -> Check:
    assert field.enum_type is not None
    known, words = set(field.enum_type.values_by_number), ", ".join(contract.enum_words(field))

    def run(value: int, path: str) -> Iterator[FieldError]:
        if value not in known:
            yield FieldError(path, f"must be one of {words}")

    return run


def _string_check(field: FieldDescriptor) -> Check:
    options = contract.field_options(field)
    pattern, exists = COMPILED.get(options.format), EXISTS.get(options.format, bool)

    def run(value: str, path: str) -> Iterator[FieldError]:
        if "\0" in value:
            yield FieldError(path, "must not contain the character NUL")
        if len(value) < options.min_length:
            yield FieldError(path, f"must have at least {options.min_length} characters")
        if options.max_length and len(value) > options.max_length:
            yield FieldError(path, f"must have at most {options.max_length} characters")
        if pattern and not (pattern.match(value) and exists(value)):
            yield FieldError(path, DESCRIPTIONS[options.format])

    return run


def _number_check(field: FieldDescriptor) -> Check | None:
    options = contract.field_options(field)
    low = options.minimum if options.HasField("minimum") else None
    high = options.maximum if options.HasField("maximum") else None

    def run(value: int, path: str) -> Iterator[FieldError]:
        if low is not None and value < low:
            yield FieldError(path, f"must be at least {low}")
        if high is not None and value > high:
            yield FieldError(path, f"must be at most {high}")

    return None if low is None and high is None else run
