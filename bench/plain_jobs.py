"""The floor of executions: a queue in a table of PostgreSQL, and a worker that takes one job after the other.

What a capable developer would write in an hour. No keys, no events, no leases, no audit; the work itself is none.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import uuid_utils
from fastapi import FastAPI, Request

WORKERS = 2
TABLE = """
CREATE TABLE IF NOT EXISTS plain_jobs (
    id uuid PRIMARY KEY, input jsonb NOT NULL, state text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz, completed_at timestamptz
);
CREATE INDEX IF NOT EXISTS plain_jobs_waiting ON plain_jobs (created_at) WHERE state = 'waiting'
"""
DONE = "SELECT count(*) FROM plain_jobs WHERE state = 'done'"
_INSERT = "INSERT INTO plain_jobs (id, input, state) VALUES ($1, $2, 'waiting')"
_TAKE = """
UPDATE plain_jobs SET state = 'running', started_at = now() WHERE id = (
    SELECT id FROM plain_jobs WHERE state = 'waiting' ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id
"""
_END = "UPDATE plain_jobs SET state = 'done', completed_at = now() WHERE id = $1"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["PLAIN_DATABASE_URL"], min_size=1, max_size=10) as pool:
        app.state.pool = pool
        app.state.something_new = asyncio.Event()
        workers = [asyncio.create_task(_work(pool, app.state.something_new)) for _ in range(WORKERS)]
        yield
        for worker in workers:
            worker.cancel()


async def _work(pool: "asyncpg.Pool[asyncpg.Record]", something_new: asyncio.Event) -> None:
    """Asks for nothing while nothing is there: it must not disturb what it stands beside."""
    while True:
        something_new.clear()
        if job := await pool.fetchval(_TAKE):
            await pool.execute(_END, job)
        else:
            await something_new.wait()


app = FastAPI(lifespan=lifespan)


@app.post("/execute", status_code=202)
async def execute(request: Request) -> dict[str, Any]:
    job = str(uuid_utils.uuid7())
    await request.app.state.pool.execute(_INSERT, job, (await request.body()).decode())
    request.app.state.something_new.set()
    return {"id": job}
