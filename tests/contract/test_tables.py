"""A kind's table holds exactly what its message says."""

import pytest

from kit import contract
from kit.resources.kind import Kind
from services.ops.wiring import KINDS
from tests.databases import rows
from tests.platform import Platform

BOOKKEEPING = {"workspace_id", "deleted_at", "search"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_columns_are_the_messages_fields(platform: Platform, kind: Kind) -> None:
    query = "SELECT column_name, is_nullable FROM information_schema.columns WHERE table_name = $1"
    columns = {row["column_name"]: row["is_nullable"] for row in rows(platform, "ops", query, kind.table)}
    assert set(columns) == {*kind.columns, *BOOKKEEPING}
    nullable = {name for name, answer in columns.items() if answer == "YES"} - {"deleted_at"}
    assert nullable == set(kind.nullable)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_enums_are_the_messages_enums_in_the_same_order(platform: Platform, kind: Kind) -> None:
    for field in kind.fields:
        if field.enum_type is None:
            continue
        query = f"SELECT unnest(enum_range(NULL::{_type_of(platform, kind.table, field.name)}))::text AS word"
        assert [row["word"] for row in rows(platform, "ops", query)] == list(contract.enum_words(field))


def _type_of(platform: Platform, table: str, column: str) -> str:
    query = "SELECT udt_name FROM information_schema.columns WHERE table_name = $1 AND column_name = $2"
    [row] = rows(platform, "ops", query, table, column)
    # An array's type is named after its items'.
    return str(row["udt_name"]).removeprefix("_")
