"""What all lists have in common: limit, offset, sortBy, sortOrder, q and the equality filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from kit import contract
from kit.errors import FieldError, Invalid
from opsfield.common.v1 import page_pb2

_NOT_FILTERS = frozenset({"limit", "offset", "sort_by", "sort_order", "q"})


@dataclass(frozen=True)
class Listing:
    """A list request, read. `sort_by` is a field name (snake case), `filters` map JSON names to the words sent,
    `values` map field names to values for comparison (enums as words)."""

    limit: int
    offset: int
    sort_by: str
    sort_json: str
    ascending: bool
    q: str
    filters: dict[str, str]
    values: dict[str, Any]

    @property
    def direction(self) -> str:
        return "ASC" if self.ascending else "DESC"

    @classmethod
    def of(cls, request: Any, resource: contract.MessageType) -> "Listing":
        """Raises Invalid when `sort_by` names no sortable field of the resource."""
        sortable = contract.sortable_fields(resource)
        sort_json = request.sort_by or "createdAt"
        if sort_json not in sortable:
            raise Invalid.fields(FieldError("sortBy", f"must be one of {', '.join(sortable)}"))
        filters, values = _filters(request)
        return cls(
            limit=request.limit or _default(request, "limit"),
            offset=request.offset,
            sort_by=sortable[sort_json],
            sort_json=sort_json,
            ascending=request.sort_order == page_pb2.ASC,
            q=request.q,
            filters=filters,
            values=values,
        )

    def answer(self, data: Sequence[Message], total: int) -> dict[str, Any]:
        """The fields that each list's answer has: `data` is what is on the page, of `total` that match."""
        return {
            "data": data,
            "page": page_pb2.Page(limit=self.limit, offset=self.offset, returned=len(data), total=total),
            "sort": page_pb2.Sort(by=self.sort_json, order=page_pb2.ASC if self.ascending else page_pb2.DESC),
            "filters": self.filters,
        }


def like_pattern(q: str) -> str:
    """A LIKE pattern that finds `q` anywhere in lower-cased text."""
    escaped = q.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _filters(request: Message) -> tuple[dict[str, str], dict[str, Any]]:
    filters, values = {}, {}
    for field, value in request.ListFields():
        if field.name in _NOT_FILTERS:
            continue
        if field.enum_type is not None:
            if not value:
                continue
            value = field.enum_type.values_by_number[value].name.lower()
        filters[field.json_name] = str(value).lower() if isinstance(value, bool) else str(value)
        values[field.name] = value
    return filters, values


def _default(request: Message, name: str) -> int:
    return int(contract.field_options(request.DESCRIPTOR.fields_by_name[name]).default)
