"""Pages of tables: filters, search, order and count, as all lists have them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from kit.database import Session
from kit.paging import Listing, like_pattern


@dataclass(frozen=True)
class TableListing:
    """The list of a table that is no resource kind. `columns` is what is selected; `search` an SQL expression, in lower
    case, for `q`; `sorts` maps fields to the columns they are sorted by where those have other names, `filters`
    likewise; `nullable` columns sort last. `indexed_search` is a column with an index for `LIKE` that holds at least
    all that `search` does."""

    table: str
    columns: str
    search: str
    sorts: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, str] = field(default_factory=dict)
    nullable: frozenset[str] = frozenset()
    indexed_search: str | None = None

    async def page(self, session: Session, listing: Listing) -> tuple[list[asyncpg.Record], int]:
        """The rows of the page, and how many match in all."""
        return await fetch_page(
            session,
            listing,
            *self._condition(listing, session.call.workspace_id),
            columns=self.columns,
            table=self.table,
            sorted_by=self.sorts.get(listing.sort_by, listing.sort_by),
            nullable=self.nullable,
        )

    def _condition(self, listing: Listing, workspace_id: str) -> tuple[str, list[Any]]:
        conditions, arguments = ["workspace_id = $1"], [workspace_id]
        for name, value in listing.values.items():
            arguments.append(value)
            conditions.append(f"{self.filters.get(name, name)} = ${len(arguments)}")
        if listing.q:
            arguments.append(like_pattern(listing.q))
            conditions += [f"{each} LIKE ${len(arguments)}" for each in (self.indexed_search, self.search) if each]
        return " AND ".join(conditions), arguments


async def fetch_page(
    session: Session,
    listing: Listing,
    condition: str,
    arguments: Sequence[Any],
    *,
    columns: str,
    table: str,
    sorted_by: str,
    nullable: Collection[str],
) -> tuple[list[asyncpg.Record], int]:
    """The rows of a page, and how many match in all: counted only where the page does not show it. `condition` is SQL
    with its `arguments`; `nullable` columns sort last."""
    nulls = " NULLS LAST" if sorted_by in nullable else ""
    rows = await session.fetch(
        f"SELECT {columns} FROM {table} WHERE {condition} "
        f"ORDER BY {sorted_by} {listing.direction}{nulls}, id {listing.direction} "
        f"LIMIT {listing.limit} OFFSET {listing.offset}",
        *arguments,
    )
    if listing.offset == 0 and len(rows) < listing.limit:
        return rows, len(rows)
    total = await session.fetchval(f"SELECT count(*) FROM {table} WHERE {condition}", *arguments)
    return rows, total
