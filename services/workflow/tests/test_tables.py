"""The table of triggers holds exactly what their message says."""

import asyncpg

from services.workflow.triggers.kind import TRIGGERS

BOOKKEEPING = {"workspace_id", "deleted_at", "search"}
COLUMNS = """
SELECT column_name, is_nullable FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1
"""


async def test_columns_are_the_messages_fields(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    columns = {row["column_name"]: row["is_nullable"] for row in await admin.fetch(COLUMNS, TRIGGERS.table)}
    assert set(columns) == {*TRIGGERS.columns, *BOOKKEEPING}
    assert {name for name, answer in columns.items() if answer == "YES"} - {"deleted_at"} == set(TRIGGERS.nullable)
