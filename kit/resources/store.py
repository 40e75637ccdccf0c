"""The SQL of a resource kind, put together once from its columns. All of it runs in a session of one workspace; the
`workspace_id` in each query is for the planner and a second wall, row-level security is the first."""

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg

from kit.database import Session
from kit.paging import Listing, like_pattern
from kit.resources.convert import search_text
from kit.resources.kind import Kind, Reference, Row
from kit.table_listing import fetch_page
from kit.unit_of_work import UnitOfWork


class ResourceStore:
    """The rows of one kind."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._columns = ", ".join(kind.columns)
        alive = f"FROM {kind.table} WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL"
        self._get = f"SELECT {self._columns} {alive}"
        self._lock = f"{self._get} FOR UPDATE"
        self._insert = self._insert_statement()
        self._insert_many = self._insert_many_statement()
        self._update = self._update_statement()
        self._delete = (
            f"UPDATE {kind.table} SET deleted_at = $3, updated_at = $3, version = version + 1 "
            "WHERE workspace_id = $1 AND id = $2"
        )

    async def get(self, session: Session, resource_id: str) -> asyncpg.Record | None:
        return await session.fetchrow(self._get, session.call.workspace_id, resource_id)

    async def lock(self, work: UnitOfWork, resource_id: str) -> asyncpg.Record | None:
        """The row, held against other changes until the end of the unit of work."""
        return await work.fetchrow(self._lock, work.call.workspace_id, resource_id)

    async def page(self, session: Session, listing: Listing) -> tuple[list[asyncpg.Record], int]:
        """A page of rows, and how many match in all."""
        return await fetch_page(
            session,
            listing,
            *self._condition(session.call.workspace_id, listing),
            columns=self._columns,
            table=self._kind.table,
            sorted_by=listing.sort_by,
            nullable=self._kind.nullable,
        )

    async def insert(self, work: UnitOfWork, row: Row) -> asyncpg.Record:
        """`row` holds every stored field, `id`, and `number` where the kind has one."""
        record = await work.fetchrow(
            self._insert,
            work.call.workspace_id,
            row["id"],
            *([row["number"]] if self._kind.number_prefix else []),
            *(row[name] for name in self._kind.stored),
            work.now,
            work.call.principal.subject,
            self._search_text({**row, "created_by": work.call.principal.subject}),
        )
        assert record is not None
        return record

    async def insert_many(self, work: UnitOfWork, rows: Sequence[Row]) -> dict[str, asyncpg.Record]:
        """Those that were inserted, by id; one that breaks a unique index is left out."""
        standard = {
            "workspace_id": work.call.workspace_id,
            "created_at": work.now,
            "updated_at": work.now,
            "created_by": work.call.principal.subject,
            "version": 1,
        }
        names = ("id", *(["number"] if self._kind.number_prefix else []), *self._kind.stored)
        values = [
            {**standard, **{name: row[name] for name in names}, "search": self._search_text({**row, **standard})}
            for row in rows
        ]
        records = await work.fetch(self._insert_many, values)
        return {record["id"]: record for record in records}

    async def update(self, work: UnitOfWork, row: Row) -> asyncpg.Record:
        """Write the stored fields of a row that is locked; its version grows by one."""
        record = await work.fetchrow(
            self._update,
            work.call.workspace_id,
            row["id"],
            *(row[name] for name in self._kind.stored),
            work.now,
            self._search_text(row),
        )
        assert record is not None
        return record

    async def delete(self, work: UnitOfWork, resource_id: str) -> None:
        """Mark a row that is locked as deleted."""
        await work.execute(self._delete, work.call.workspace_id, resource_id, work.now)

    async def missing_references(
        self, work: UnitOfWork, row: Row, references: Iterable[Reference]
    ) -> list[tuple[str, str]]:
        """Place and kind of each id that names nothing in this workspace. What the others name cannot be deleted until
        the unit of work ends."""
        await self.hold_references(work, [row], references)
        return [
            (place, reference.kind)
            for reference in references
            for place, each in reference.places(row)
            if (reference.table, each) not in work.held
        ]

    async def hold_references(self, work: UnitOfWork, rows: Sequence[Row], references: Iterable[Reference]) -> None:
        """Note in `work.held` which of the ids that the rows name are there, and keep those from being deleted until
        the unit of work ends."""
        for reference in references:
            named = {each for row in rows for _, each in reference.places(row)}
            unknown = sorted(each for each in named if (reference.table, each) not in work.held)
            if unknown:
                found = await work.fetch(
                    f"SELECT id FROM {reference.table} "
                    "WHERE workspace_id = $1 AND id = ANY($2::uuid[]) AND deleted_at IS NULL ORDER BY id FOR SHARE",
                    work.call.workspace_id,
                    unknown,
                )
                work.held.update((reference.table, each["id"]) for each in found)

    async def next_numbers(self, work: UnitOfWork, count: int) -> list[int]:
        """The next human numbers of this kind; those of changes that are rolled back stay unused."""
        rows = await work.fetch("SELECT next_number($1) AS number FROM generate_series(1, $2)", self._kind.table, count)
        return [row["number"] for row in rows]

    async def count_referring(self, work: UnitOfWork, resource_id: str, referring: Kind, reference: Reference) -> int:
        """How many rows of `referring` name this resource."""
        names = f"{reference.field} @> ARRAY[$2::uuid]" if reference.repeated else f"{reference.field} = $2"
        count: int = await work.fetchval(
            f"SELECT count(*) FROM {referring.table} WHERE workspace_id = $1 AND {names} AND deleted_at IS NULL",
            work.call.workspace_id,
            resource_id,
        )
        return count

    def _condition(self, workspace_id: str, listing: Listing) -> tuple[str, list[Any]]:
        conditions = ["workspace_id = $1", "deleted_at IS NULL"]
        arguments: list[Any] = [workspace_id]
        for name, value in listing.values.items():
            is_number = name == "number" and self._kind.number_prefix
            arguments.append(self._kind.read_number(value) if is_number else value)
            conditions.append(self._kind.filters.get(name, f"{name} = {{}}").format(f"${len(arguments)}"))
        if listing.q:
            arguments.append(like_pattern(listing.q))
            conditions.append(f"search LIKE ${len(arguments)}")
        return " AND ".join(conditions), arguments

    def _search_text(self, row: Row) -> str:
        number = {"number": self._kind.written_number(row["number"])} if self._kind.number_prefix else {}
        return search_text(self._kind, {**row, **number})

    def _insert_statement(self) -> str:
        numbered = ["number"] if self._kind.number_prefix else []
        names = ["workspace_id", "id", *numbered, *self._kind.stored]
        count = len(names)
        values = ", ".join(f"${position}" for position in range(1, count + 1))
        return (
            f"INSERT INTO {self._kind.table} ({', '.join(names)}, created_at, updated_at, created_by, version, search) "
            f"VALUES ({values}, ${count + 1}, ${count + 1}, ${count + 2}, 1, ${count + 3}) RETURNING {self._columns}"
        )

    def _insert_many_statement(self) -> str:
        numbered = ["number"] if self._kind.number_prefix else []
        own = ("workspace_id", "id", *numbered, *self._kind.stored)
        names = ", ".join((*own, "created_at", "updated_at", "created_by", "version", "search"))
        # The server reads the rows from one JSON text by the types of the table's columns.
        return (
            f"INSERT INTO {self._kind.table} ({names}) "
            f"SELECT {names} FROM jsonb_populate_recordset(NULL::{self._kind.table}, $1::jsonb) "
            f"ON CONFLICT DO NOTHING RETURNING {self._columns}"
        )

    def _update_statement(self) -> str:
        sets = [f"{name} = ${position}" for position, name in enumerate(self._kind.stored, 3)]
        count = 2 + len(sets)
        return (
            f"UPDATE {self._kind.table} SET {', '.join(sets)}, updated_at = ${count + 1}, search = ${count + 2}, "
            f"version = version + 1 WHERE workspace_id = $1 AND id = $2 RETURNING {self._columns}"
        )
