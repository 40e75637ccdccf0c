"""An OpsReader over rows in memory that answers as the API does and refuses what the API refuses."""

from collections.abc import Mapping, Sequence
from typing import Any

from kit import contract
from kit.errors import NotFound
from services.agent_runtime.tests.rows import MESSAGES, Row, list_rpc

_PAGING = {"limit", "offset", "sortBy", "sortOrder", "q"}


class FakeOps:
    """`calls` and `rows` count what was read."""

    def __init__(self, rows: Mapping[str, Sequence[Row]]) -> None:
        self._rows = rows
        self.calls = 0
        self.rows = 0
        self.asked: list[tuple[str, Row]] = []

    async def get(self, kind: str, resource_id: str) -> Row:
        self.calls += 1
        for each in self._rows.get(kind, ()):
            if each["id"] == resource_id:
                self.rows += 1
                return each
        raise NotFound(f"There is no {kind} {resource_id}.")

    async def list(self, kind: str, *, limit: int = 200, **filters: Any) -> list[Row]:
        self.calls += 1
        self.asked.append((kind, filters))
        _check(kind, limit, filters)
        wanted = {name: value for name, value in filters.items() if name not in _PAGING}
        found = [each for each in self._rows.get(kind, ()) if all(self._of(each, x) == wanted[x] for x in wanted)]
        by = filters.get("sortBy", "createdAt")
        known = [each for each in found if each[by] is not None]
        known.sort(key=lambda each: each[by], reverse=filters.get("sortOrder", "desc") == "desc")
        ordered = [*known, *(each for each in found if each[by] is None)]
        page = ordered[filters.get("offset", 0) :][:limit]
        self.rows += len(page)
        return page

    def _of(self, row: Row, name: str) -> Any:
        """What a filter compares."""
        if name == "invoiced":
            return row["invoicedAt"] is not None
        if name == "clientId" and "ticketId" in row:
            return next((each["clientId"] for each in self._rows["tickets"] if each["id"] == row["ticketId"]), None)
        return row[name]


def _check(kind: str, limit: int, filters: Row) -> None:
    """Only what the list's request knows: an unknown filter would be a 422."""
    assert 1 <= limit <= 200
    fields = {each.json_name: each for each in list_rpc(kind).descriptor.input_type.fields}
    assert not filters.keys() - fields.keys(), f"{kind} cannot be filtered by {filters.keys() - fields.keys()}"
    if "sortBy" in filters:
        assert filters["sortBy"] in contract.sortable_fields(MESSAGES[kind].DESCRIPTOR)
    for name, value in filters.items():
        if fields[name].enum_type is not None:
            assert value in contract.enum_words(fields[name]), f"{kind}.{name} has no word {value}"
