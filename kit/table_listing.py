"""A page of a table that is no resource kind: filters, search, order and count, as all lists have them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from kit.database import Session
from kit.paging import Listing, like_pattern


@dataclass(frozen=True)
class TableListing:
    """`columns` is what is selected; `search` an SQL expression, in lower case, for `q`; `sorts` maps fields to the
    columns they are sorted by where those have other names, `filters` likewise; `nullable` columns sort last."""

    table: str
    columns: str
    search: str
    sorts: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, str] = field(default_factory=dict)
    nullable: frozenset[str] = frozenset()

    async def page(self, session: Session, listing: Listing) -> tuple[list[asyncpg.Record], int]:
        """The rows of the page, and how many match in all."""
        condition, arguments = self._condition(listing, session.call.workspace_id)
        column = self.sorts.get(listing.sort_by, listing.sort_by)
        nulls = " NULLS LAST" if column in self.nullable else ""
        rows = await session.fetch(
            f"SELECT {self.columns} FROM {self.table} WHERE {condition} "
            f"ORDER BY {column} {listing.direction}{nulls}, id {listing.direction} "
            f"LIMIT {listing.limit} OFFSET {listing.offset}",
            *arguments,
        )
        if listing.offset == 0 and len(rows) < listing.limit:
            return rows, len(rows)
        total = await session.fetchval(f"SELECT count(*) FROM {self.table} WHERE {condition}", *arguments)
        return rows, total

    def _condition(self, listing: Listing, workspace_id: str) -> tuple[str, list[Any]]:
        conditions, arguments = ["workspace_id = $1"], [workspace_id]
        for name, value in listing.values.items():
            arguments.append(value)
            conditions.append(f"{self.filters.get(name, name)} = ${len(arguments)}")
        if listing.q:
            arguments.append(like_pattern(listing.q))
            conditions.append(f"{self.search} LIKE ${len(arguments)}")
        return " AND ".join(conditions), arguments
