"""A message has four shapes in the API. Which fields each shape has, which must be there, which may be null: once, for
the checks and for the OpenAPI document."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from kit import contract
from kit.contract import ContractError


class Shape(Enum):
    """How a message is written in one place of the API; the value is what its OpenAPI name ends in."""

    READ = ""
    """In an answer: every field is there."""
    CREATE = "Create"
    """In a POST: output-only fields are refused."""
    REPLACE = "Replace"
    """In a PUT: output-only fields are ignored, so that what was read can be sent back changed."""
    PATCH = "Patch"
    """In a PATCH (JSON merge patch, RFC 7396): every field may be left out, null clears."""


@dataclass(frozen=True)
class Property:
    """A field in a shape."""

    field: FieldDescriptor
    required: bool = False
    nullable: bool = False
    read_only: bool = False


@cache
def properties(message: Descriptor, shape: Shape) -> tuple[Property, ...]:
    """The fields of `message` in `shape`, in the order of the proto."""
    return tuple(_property(field, shape) for field in message.fields)


def inner(field: FieldDescriptor, shape: Shape) -> Shape:
    """The shape of a field's own message. A patch replaces lists and maps as a whole, so that theirs is new."""
    return Shape.CREATE if shape is Shape.PATCH and field.is_repeated else shape


def is_map(field: FieldDescriptor) -> bool:
    """Whether it is a map, which descriptors show as a list of entries."""
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def is_well_known(message: Descriptor) -> bool:
    """Whether google.protobuf defines it, with a JSON form of its own."""
    return message.file.package == "google.protobuf"


def check_input(message: Descriptor, without: Collection[str] = (), above: tuple[Descriptor, ...] = ()) -> None:
    """Raises ContractError when callers cannot send such a message: it contains itself."""
    if message in above:
        raise ContractError(f"{message.full_name} contains itself; callers cannot send it")
    for field in message.fields:
        nested = field.message_type
        if field.name not in without and nested and not is_well_known(nested):
            check_input(nested, above=(*above, message))


def _property(field: FieldDescriptor, shape: Shape) -> Property:
    if shape is Shape.READ:
        always_there = contract.is_required(field) or contract.setting_options(field) is not None
        return Property(field, required=True, nullable=field.has_presence and not always_there)
    if contract.is_output_only(field):
        return Property(field, read_only=True)
    required = contract.is_required(field)
    if shape is Shape.PATCH:
        return Property(field, nullable=not required and (field.has_presence or field.is_repeated))
    return Property(field, required=required, nullable=field.has_presence and not required)
