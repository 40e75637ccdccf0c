"""From message descriptors to the validators of what callers send, put together once at start-up.

The validators are pydantic-core's own: a dict goes in, a dict comes out. It holds the fields that were sent, by their
proto names, with enums as numbers and times as Timestamps, and so is what a message's constructor takes.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from functools import cache
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic_core import PydanticCustomError, SchemaValidator, core_schema
from pydantic_core.core_schema import CoreSchema

from gateway import shapes
from gateway.shapes import Property, Shape
from kit import contract, structs
from kit.contract import ContractError
from kit.formats import DESCRIPTIONS, EXISTS, PATTERNS

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_TIMESTAMP = "google.protobuf.Timestamp"
# Their JSON form is any object, any value, any list.
_FREE_FORM = {
    "google.protobuf.Struct": core_schema.dict_schema(core_schema.str_schema(), strict=True),
    "google.protobuf.Value": core_schema.any_schema(),
    "google.protobuf.ListValue": core_schema.list_schema(strict=True),
}
# RFC 3339, 5.6, without the leap second, which neither Python nor PostgreSQL keeps.
TIME_PATTERN = (
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)


def body_validator(message: Descriptor, shape: Shape, without: Collection[str] = ()) -> SchemaValidator:
    """The validator of a body that holds `message`, but for the fields named in `without`. Raises ContractError."""
    shapes.check_input(message, without)
    return SchemaValidator(_object(message, shape, without))


def parameter_validator(fields: Collection[FieldDescriptor], sortable: Collection[str]) -> SchemaValidator:
    """The validator of path and query parameters; `sortable` are the words that `sort_by` may be."""
    parameters = {
        field.name: core_schema.typed_dict_field(
            _parameter(field, sortable), required=contract.is_required(field), validation_alias=field.json_name
        )
        for field in fields
    }
    return SchemaValidator(core_schema.typed_dict_schema(parameters))


@cache
def scalar(field: FieldDescriptor) -> CoreSchema:
    """One value of a string, number or boolean field, with its limits. Raises ContractError for other fields."""
    options = contract.field_options(field)
    low = options.minimum if options.HasField("minimum") else None
    high = options.maximum if options.HasField("maximum") else None
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return core_schema.bool_schema(strict=True)
    if field.cpp_type in _INTEGERS:
        least, most = _INTEGERS[field.cpp_type]
        return core_schema.int_schema(
            ge=least if low is None else max(low, least), le=most if high is None else min(high, most), strict=True
        )
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return core_schema.float_schema(ge=low, le=high, allow_inf_nan=False, strict=True)
    if field.type == FieldDescriptor.TYPE_STRING:
        text = core_schema.str_schema(
            min_length=_least_length(field), max_length=options.max_length or None, pattern=_pattern(field), strict=True
        )
        return _existing(options.format, text) if options.format in EXISTS else text
    raise ContractError(f"{field.full_name}: callers cannot send a field of this type")


def _existing(fmt: int, text: CoreSchema) -> CoreSchema:
    def check(value: str) -> str:
        if not EXISTS[fmt](value):
            raise PydanticCustomError("format", DESCRIPTIONS[fmt])
        return value

    return core_schema.no_info_after_validator_function(check, text)


def _least_length(field: FieldDescriptor) -> int | None:
    needed = contract.is_required(field) and not field.has_presence and not field.is_repeated
    return max(contract.field_options(field).min_length, int(needed)) or None


def _pattern(field: FieldDescriptor) -> str | None:
    return PATTERNS.get(contract.field_options(field).format)


def _parameter(field: FieldDescriptor, sortable: Collection[str]) -> CoreSchema:
    if field.name == "sort_by" and sortable:
        return core_schema.literal_schema(list(sortable))
    if field.is_repeated:
        return _list(field, Shape.CREATE)
    default = contract.field_options(field).default
    schema = _single(field, Shape.CREATE)
    return core_schema.with_default_schema(schema, default=default) if default else schema


def _object(message: Descriptor, shape: Shape, without: Collection[str] = ()) -> CoreSchema:
    fields = {
        each.field.name: core_schema.typed_dict_field(
            _property(each, shape), required=each.required, validation_alias=each.field.json_name
        )
        for each in shapes.properties(message, shape)
        if each.field.name not in without
    }
    schema = core_schema.typed_dict_schema(fields, extra_behavior="forbid", strict=True)
    return _with_oneofs(message, schema)


def _property(each: Property, shape: Shape) -> CoreSchema:
    if each.read_only:
        return core_schema.no_info_plain_validator_function(_ignore if shape is Shape.REPLACE else _refuse)
    schema = _field(each.field, shapes.inner(each.field, shape))
    return core_schema.nullable_schema(schema) if each.nullable else schema


def _field(field: FieldDescriptor, shape: Shape) -> CoreSchema:
    if shapes.is_map(field):
        assert field.message_type is not None
        most = contract.field_options(field).max_items or None
        value = _single(field.message_type.fields_by_name["value"], shape)
        return core_schema.dict_schema(core_schema.str_schema(strict=True), value, max_length=most, strict=True)
    return _list(field, shape) if field.is_repeated else _single(field, shape)


def _list(field: FieldDescriptor, shape: Shape) -> CoreSchema:
    most = contract.field_options(field).max_items or None
    return core_schema.list_schema(_single(field, shape), max_length=most, strict=True)


def _single(field: FieldDescriptor, shape: Shape) -> CoreSchema:
    if field.enum_type is not None:
        words = contract.enum_words(field)
        return core_schema.no_info_after_validator_function(words.__getitem__, core_schema.literal_schema(list(words)))
    if field.message_type is None:
        return scalar(field)
    if field.message_type.full_name == _TIMESTAMP:
        return _time()
    if free_form := _FREE_FORM.get(field.message_type.full_name):
        message_class = message_factory.GetMessageClass(field.message_type)
        return core_schema.no_info_after_validator_function(lambda value: _parse(value, message_class()), free_form)
    if shapes.is_well_known(field.message_type):
        raise ContractError(f"{field.full_name}: callers cannot send a field of this type")
    return _object(field.message_type, shape)


def _time() -> CoreSchema:
    text = core_schema.str_schema(pattern=TIME_PATTERN, strict=True)
    instant = core_schema.datetime_schema(tz_constraint="aware", microseconds_precision="truncate")
    return core_schema.no_info_after_validator_function(_timestamp, core_schema.chain_schema([text, instant]))


def _timestamp(instant: datetime) -> Timestamp:
    timestamp = Timestamp()
    try:
        timestamp.FromDatetime(instant.astimezone(UTC))
    except OverflowError as error:
        raise PydanticCustomError("time_range", "must be a time between the years 1 and 9999") from error
    return timestamp


def _parse(value: Any, message: Message) -> Message:
    if structs.is_deeper(value, structs.MOST_LEVELS):
        limit = {"most": structs.MOST_LEVELS}
        raise PydanticCustomError("too_deep", "must not be nested deeper than {most} levels", limit)
    try:
        return json_format.ParseDict(value, message)
    except OverflowError as error:
        raise PydanticCustomError("number_range", "holds a number out of range") from error
    except json_format.ParseError as error:
        raise PydanticCustomError("free_form", "holds a value that cannot be kept") from error


def _with_oneofs(message: Descriptor, schema: CoreSchema) -> CoreSchema:
    # A field marked optional is alone in a oneof of its own.
    oneofs = [list(each.fields) for each in message.oneofs if len(each.fields) > 1]
    return core_schema.no_info_after_validator_function(_one_of_each(oneofs), schema) if oneofs else schema


def _one_of_each(oneofs: list[list[FieldDescriptor]]) -> Any:
    def check(value: dict[str, Any]) -> dict[str, Any]:
        for fields in oneofs:
            if sum(value.get(field.name) is not None for field in fields) > 1:
                names = ", ".join(field.json_name for field in fields)
                raise PydanticCustomError("one_of", "must have only one of {names}", {"names": names})
        return value

    return check


def _ignore(_value: Any) -> None:
    return None


def _refuse(_value: Any) -> None:
    raise PydanticCustomError("read_only", "is read-only")
