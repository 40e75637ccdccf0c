"""The columns of a kind's CSV or Parquet file: what is nested has a column for each part, so that a CSV can be imported
again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from kit import contract
from kit.resources.kind import is_decimal
from services.integrations.exports.rules import cell


@dataclass(frozen=True, eq=False)
class Column:
    """`path`: JSON names from the outermost message inwards."""

    path: tuple[str, ...]
    field: FieldDescriptor

    @cached_property
    def is_text(self) -> bool:
        return self.field.type == FieldDescriptor.TYPE_STRING and not is_decimal(self.field)

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def value(self, resource: dict[str, Any]) -> Any:
        """What the resource has there. `resource`: as `kit.json_encoding` gives it."""
        value: Any = resource
        for name in self.path:
            value = None if value is None else value[name]
        return value

    def of(self, resource: dict[str, Any]) -> str:
        """The resource's cell in a CSV file."""
        return cell(self.value(resource), is_text=self.is_text)


@cache
def columns_of(message: contract.MessageType) -> Sequence[Column]:
    """In the order of the fields."""
    return tuple(_columns(message, ()))


def _columns(message: contract.MessageType, outer: tuple[str, ...]) -> Iterator[Column]:
    for field in message.fields:
        path = (*outer, field.json_name)
        inner = field.message_type
        if inner is None or field.is_repeated or inner.full_name.startswith("google."):
            yield Column(path, field)  # type: ignore[arg-type] # the same class, by another name
        else:
            yield from _columns(inner, path)
