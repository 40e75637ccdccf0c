"""The columns of a kind's CSV: what is nested has a column for each part, so that a file can be imported again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from kit import contract
from kit.resources.kind import is_decimal
from services.integrations.exports.rules import cell


@dataclass(frozen=True)
class Column:
    """`path`: JSON names from the outermost message inwards."""

    path: tuple[str, ...]
    is_text: bool

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def of(self, resource: dict[str, Any]) -> str:
        """The resource's cell. `resource`: as `kit.json_encoding` gives it."""
        value: Any = resource
        for name in self.path:
            value = None if value is None else value[name]
        return cell(value, is_text=self.is_text)


@cache
def columns_of(message: contract.MessageType) -> Sequence[Column]:
    """In the order of the fields."""
    return tuple(_columns(message, ()))


def _columns(message: contract.MessageType, outer: tuple[str, ...]) -> Iterator[Column]:
    for field in message.fields:
        path = (*outer, field.json_name)
        inner = field.message_type
        if inner is None or field.is_repeated or inner.full_name.startswith("google."):
            is_text = field.type == FieldDescriptor.TYPE_STRING and not is_decimal(field)  # type: ignore[arg-type]
            yield Column(path, is_text)
        else:
            yield from _columns(inner, path)
