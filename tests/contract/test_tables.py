"""A kind's table holds exactly what its message says."""

import asyncio
from collections.abc import Mapping

import asyncpg
import pytest

from kit import contract
from kit.bootstrap import with_database
from kit.resources.kind import Kind
from services.ops.wiring import KINDS
from tests.platform import Platform

BOOKKEEPING = {"workspace_id", "deleted_at", "search"}


def query(platform: Platform, text: str, *arguments: object) -> list[asyncpg.Record]:
    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(with_database(platform.stack.admin_url, "ops"))
        try:
            return await connection.fetch(text, *arguments)
        finally:
            await connection.close()

    return asyncio.run(run())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_columns_are_the_messages_fields(platform: Platform, kind: Kind) -> None:
    rows = query(
        platform, "SELECT column_name, is_nullable FROM information_schema.columns WHERE table_name = $1", kind.table
    )
    columns: Mapping[str, str] = {row["column_name"]: row["is_nullable"] for row in rows}
    assert set(columns) == {*kind.columns, *BOOKKEEPING}
    nullable = {name for name, answer in columns.items() if answer == "YES"} - {"deleted_at"}
    assert nullable == set(kind.nullable)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_enums_are_the_messages_enums_in_the_same_order(platform: Platform, kind: Kind) -> None:
    for field in kind.fields:
        if field.enum_type is None:
            continue
        rows = query(
            platform,
            f"SELECT unnest(enum_range(NULL::{_type_of(platform, kind.table, field.name)}))::text AS word",
        )
        assert [row["word"] for row in rows] == list(contract.enum_words(field))


def _type_of(platform: Platform, table: str, column: str) -> str:
    [row] = query(
        platform,
        "SELECT udt_name FROM information_schema.columns WHERE table_name = $1 AND column_name = $2",
        table,
        column,
    )
    # An array's type is named after its items'.
    return str(row["udt_name"]).removeprefix("_")
