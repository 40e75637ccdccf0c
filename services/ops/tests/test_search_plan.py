"""Free-text search uses its trigram index although row-level security stands before it."""

from typing import Any

import asyncpg
import pytest

from kit.call import Call
from kit.database import Database, Session
from kit.identity import Principal
from kit.paging import Listing
from kit.resources.kind import Kind
from kit.resources.store import ResourceStore
from opsfield.common.v1.page_pb2 import ASC
from opsfield.ops.v1.clients_pb2 import ListClientsRequest
from opsfield.ops.v1.tickets_pb2 import ListTicketsRequest
from services.ops.directory.clients.kind import CLIENTS
from services.ops.service_desk.tickets.kind import TICKETS

ROWS = 20_000
FILL = """
INSERT INTO clients (workspace_id, id, name, status, tags, created_at, updated_at, created_by, version, search)
SELECT $1, gen_random_uuid(), n::text, 'active', '{}', now(), now(), 'a', 1, md5(n::text)
FROM generate_series(1, $2::int) n;
"""
FILL_TICKETS = """
INSERT INTO tickets (workspace_id, id, number, subject, client_id, status, priority, source, tier, tags, reopen_count,
    escalations, created_at, updated_at, created_by, version, search)
SELECT $1, gen_random_uuid(), n, 's', (SELECT id FROM clients WHERE workspace_id = $1 LIMIT 1), 'new', 'low', 'api', 1,
    '{}', 0, '[]', now(), now(), 'a', 1, md5(n::text)
FROM generate_series(1, $2::int) n
"""


class ExplainingSession(Session):
    """Answers each query with its plan."""

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        return await super().fetch(f"EXPLAIN {query}", *arguments)

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        return "\n".join(row[0] for row in await self.fetch(query, *arguments))


@pytest.fixture
async def full_workspace(workspace: str, admin: "asyncpg.Connection[asyncpg.Record]") -> str:
    await admin.execute(FILL, workspace, ROWS)
    await admin.execute(FILL_TICKETS, workspace, ROWS)
    await admin.execute("ANALYZE clients, tickets")
    return workspace


@pytest.mark.parametrize(
    ("kind", "request_class", "index"),
    [(CLIENTS, ListClientsRequest, "clients_search"), (TICKETS, ListTicketsRequest, "tickets_search")],
    ids=["clients", "tickets"],
)
async def test_a_search_uses_the_trigram_index(
    database: Database, full_workspace: str, kind: Kind, request_class: Any, index: str
) -> None:
    call = Call("/Test", Principal("ada", workspace_id=full_workspace), "c-1")
    listing = Listing.of(request_class(q="e4da3b7f", sort_by="updatedAt", sort_order=ASC), kind.descriptor)
    async with database.read(call) as session:
        await session.fetch("SELECT set_config('enable_seqscan', 'off', true)")
        lines, _ = await ResourceStore(kind).page(ExplainingSession(session._connection, call), listing)
    plan = "\n".join(line[0] for line in lines)
    assert index in plan
    (condition,) = [line for line in plan.splitlines() if "Index Cond" in line]
    assert "e4da3b7f" in condition
