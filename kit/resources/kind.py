"""What a resource kind is, read from its message."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from kit import contract
from opsfield.options.v1 import field_pb2

# A resource between the wire and the table: field names to values; enums as words, times as datetimes, nested
# messages as dicts.
Row = dict[str, Any]
# Pure: refuses or completes `after` (None as `before` means creation).
Rules = Callable[[Row | None, Row, datetime], None]
# The events that a change gives rise to: `(before, after, message after)`.
Announce = Callable[[Row | None, Row, Any], Iterable[Message]]

_STANDARD = ("id", "number", "created_at", "updated_at", "created_by", "version")


@dataclass(frozen=True)
class Reference:
    """A field that holds the id of another resource, or with `repeated` a list of them."""

    field: str
    json_name: str
    kind: str
    repeated: bool = False

    @property
    def table(self) -> str:
        return self.kind.replace("-", "_")

    def places(self, row: Row) -> list[tuple[str, str]]:
        """The ids in a row, each with its place as a caller writes it: `clientId`, `assetIds[2]`."""
        value = row[self.field]
        if self.repeated:
            return [(f"{self.json_name}[{index}]", each) for index, each in enumerate(value)]
        return [(self.json_name, value)] if value else []


def _nothing(_before: Row | None, _after: Row, _message: Any) -> Iterable[Message]:
    return ()


@dataclass(frozen=True, eq=False)
class Kind:
    """`defaults` stand in for fields that were not sent; `state_field` is kept when a replacement leaves it out;
    `unique` maps a unique index to the JSON name of the field it is about; `filters` maps those of the list that are no
    columns to SQL conditions, `$1` being the workspace and `{}` the value."""

    message: type[Message]
    rules: Rules
    defaults: Mapping[str, Any] = field(default_factory=dict)
    state_field: str = "status"
    unique: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, str] = field(default_factory=dict)
    announce: Announce = _nothing

    @cached_property
    def descriptor(self) -> contract.MessageType:
        return self.message.DESCRIPTOR

    @cached_property
    def name(self) -> str:
        """As in the path: `time-entries`."""
        return str(contract.resource_options(self.descriptor).kind)

    @cached_property
    def table(self) -> str:
        return self.name.replace("-", "_")

    @cached_property
    def noun(self) -> str:
        """One of them, in a sentence: `time entry`."""
        return contract.snake_case(self.descriptor.name).replace("_", " ")

    @cached_property
    def number_prefix(self) -> str:
        """Empty when the kind has no human number."""
        return str(contract.resource_options(self.descriptor).number_prefix)

    @cached_property
    def fields(self) -> tuple[FieldDescriptor, ...]:
        return tuple(self.descriptor.fields)  # type: ignore[arg-type]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that hold the message, in its order."""
        return tuple(each.name for each in self.fields)

    @cached_property
    def writable(self) -> tuple[FieldDescriptor, ...]:
        """The fields a caller may set."""
        return tuple(each for each in self.fields if not contract.is_output_only(each))

    @cached_property
    def derived(self) -> tuple[str, ...]:
        """Fields that only rules set, such as `resolved_at`."""
        return tuple(
            each.name for each in self.fields if contract.is_output_only(each) and each.name not in self._standard
        )

    @cached_property
    def stored(self) -> tuple[str, ...]:
        """The columns that change with the resource."""
        return (*(each.name for each in self.writable), *self.derived)

    @cached_property
    def searchable(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.fields if not contract.field_options(each).unsearchable)

    @cached_property
    def _standard(self) -> frozenset[str]:
        """The fields that are set for every kind. Without a prefix, a number is for the kind's own rules to give."""
        return frozenset(_STANDARD) - (frozenset() if self.number_prefix else {"number"})

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        return tuple(
            Reference(each.name, each.json_name, str(kind), each.is_repeated)
            for each in self.fields
            if (kind := contract.field_options(each).references)
        )

    @cached_property
    def nullable(self) -> frozenset[str]:
        """Columns that may be NULL, which sort last."""
        required = {*self.defaults, *self._standard}
        return frozenset(
            each.name
            for each in self.fields
            if each.has_presence and each.name not in required and not contract.is_required(each)
        )

    def written_number(self, number: int) -> str:
        """`1042` → `T-1042`."""
        return f"{self.number_prefix}{number}"

    def read_number(self, text: str) -> int | None:
        """`T-1042` → `1042`; None when it is no number of this kind."""
        digits = text.upper().removeprefix(self.number_prefix)
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def is_decimal(each: FieldDescriptor) -> bool:
    return bool(contract.field_options(each).format == field_pb2.DECIMAL)
