"""The floor: one plain FastAPI and asyncpg program over the same tables, with no checks of any kind.

What a capable developer would write in an hour. It logs in as the superuser, so that row-level security does not
apply, trusts its caller, keeps no keys, no outbox, no audit.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import uuid_utils
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel

COLUMNS = """id, number, subject, description, client_id, status, priority, source, category, assignee_id, tier, tags,
resolution, resolved_at, closed_at, reopen_count, escalations, created_at, updated_at, created_by, version"""
GET = f"SELECT {COLUMNS} FROM tickets WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL"
ALIVE = "FROM tickets WHERE workspace_id = $1 AND deleted_at IS NULL"
LIST = f"SELECT {COLUMNS} {ALIVE} ORDER BY created_at DESC, id DESC LIMIT $2"
COUNT = f"SELECT count(*) {ALIVE}"
FOUND = f"SELECT {COLUMNS} {ALIVE} AND search LIKE $3 ORDER BY created_at DESC, id DESC LIMIT $2"
COUNT_FOUND = f"SELECT count(*) {ALIVE} AND search LIKE $2"
INSERT = f"""
INSERT INTO tickets (workspace_id, id, number, subject, client_id, status, priority, source, tier, tags, reopen_count,
    escalations, created_at, updated_at, created_by, version, search)
VALUES ($1, $2, nextval('bench_plain_number'), $3, $4, 'new', 'medium', 'api', 1, '{{}}', 0, '[]', now(), now(),
    'plain', 1, lower($3)) RETURNING {COLUMNS}
"""


class NewTicket(BaseModel):
    subject: str
    clientId: str  # noqa: N815 - as in the JSON


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["PLAIN_DATABASE_URL"], min_size=1, max_size=10, init=_prepare) as pool:
        app.state.pool = pool
        yield


async def _prepare(connection: Any) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


app = FastAPI(lifespan=lifespan)


@app.get("/tickets/{ticket_id}")
async def get_ticket(ticket_id: str, request: Request) -> dict[str, Any]:
    row = await request.app.state.pool.fetchrow(GET, request.headers["x-workspace-id"], ticket_id)
    if row is None:
        raise HTTPException(404)
    return dict(row)


@app.get("/tickets")
async def list_tickets(request: Request, limit: int = 50, q: str | None = None) -> dict[str, Any]:
    workspace = request.headers["x-workspace-id"]
    async with request.app.state.pool.acquire() as connection:
        if q is None:
            rows = await connection.fetch(LIST, workspace, limit)
            total = await connection.fetchval(COUNT, workspace)
        else:
            rows = await connection.fetch(FOUND, workspace, limit, f"%{q.lower()}%")
            total = await connection.fetchval(COUNT_FOUND, workspace, f"%{q.lower()}%")
    return {"data": [dict(row) for row in rows], "total": total}


@app.post("/tickets", status_code=201)
async def create_ticket(ticket: NewTicket, request: Request) -> dict[str, Any]:
    row = await request.app.state.pool.fetchrow(
        INSERT, request.headers["x-workspace-id"], str(uuid_utils.uuid7()), ticket.subject, ticket.clientId
    )
    return dict(row)
