"""Agents of a workspace, put straight into the database, and what was told of them."""

import json
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import asyncpg

from kit import ids
from kit.call import Call
from kit.database import Database, Session
from kit.identity import Principal
from kit.unit_of_work import UnitOfWork, unit_of_work
from services.telemetry.agents.known import KnownAgent

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ENGINEER = frozenset({"ops_engineer"})
# In the order of an agent's row.
AGENT = """
INSERT INTO agents (workspace_id, id, public_key, hostname, client_id, site_id, enrollment_token_id, state,
    connectivity, last_seen_at, silent_at, created_at, search)
VALUES ($1, $2::uuid, $2::uuid::text, $3, $4, $5, $2::uuid, $6, $7, $8, $9, $10, '')
"""
MANY = """
INSERT INTO agents (workspace_id, id, public_key, hostname, client_id, enrollment_token_id, connectivity, last_seen_at,
    silent_at, created_at, search)
SELECT $1, id, id::text, 'many', $3, id, 'online', $5, $4, $5, ''
FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $2)) AS many
"""
KNOWN = """
SELECT id::text AS id, number, hostname, client_id::text AS client_id, site_id::text AS site_id, state::text AS state,
    connectivity::text AS connectivity, last_seen_at, watched, conditions, asset_status::text AS asset_status,
    inventory_digest
FROM agents WHERE workspace_id = $1 AND id = $2
"""
TOLD = "SELECT topic, key, payload FROM outbox WHERE workspace_id = $1 ORDER BY sequence"


@dataclass(frozen=True)
class Told:
    """An event that was emitted: `topic` without what all have in common."""

    topic: str
    key: str
    data: Mapping[str, Any]


def known_agent(row: Mapping[str, Any]) -> KnownAgent:
    """As the service knows an agent, from its row."""
    return KnownAgent(**{each.name: row[each.name] for each in fields(KnownAgent)})


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    """The statements that the session runs within the block."""
    queries: list[str] = []
    with session._connection.query_logger(lambda each: queries.append(each.query)):
        yield queries


@dataclass(frozen=True)
class Workspace:
    """`database` is bound by row-level security, `admin` sees everything."""

    id: str
    database: Database
    admin: "asyncpg.Connection[asyncpg.Record]"

    def call(self, roles: frozenset[str] = ENGINEER, agent_id: str | None = None) -> Call:
        return Call("/Test", Principal("ada", roles, self.id, agent_id=agent_id), ids.new_id())

    @asynccontextmanager
    async def work(self) -> AsyncIterator[UnitOfWork]:
        async with unit_of_work(self.database, self.call(), service="telemetry") as work:
            yield work

    @asynccontextmanager
    async def reading(self, roles: frozenset[str] = ENGINEER, agent_id: str | None = None) -> AsyncIterator[Session]:
        async with self.database.read(self.call(roles, agent_id)) as session:
            yield session

    async def agent(
        self,
        hostname: str = "web-01",
        *,
        client_id: str | None = None,
        site_id: str | None = None,
        state: str = "active",
        connectivity: str = "online",
        last_seen_at: datetime | None = None,
        silent_at: datetime | None = None,
    ) -> KnownAgent:
        """A new agent."""
        agent_id = ids.new_id()
        values = (hostname, client_id or str(uuid.uuid4()), site_id, state, connectivity, last_seen_at, silent_at, NOW)
        await self.admin.execute(AGENT, self.id, agent_id, *values)
        return await self.known(agent_id)

    async def known(self, agent_id: str) -> KnownAgent:
        """An agent as it is now."""
        row = await self.admin.fetchrow(KNOWN, self.id, agent_id)
        assert row is not None
        return known_agent(dict(row))

    async def change(self, agent_id: str, **values: Any) -> None:
        """Set columns of an agent's row."""
        sets = ", ".join(f"{name} = ${place}" for place, name in enumerate(values, 3))
        await self.admin.execute(
            f"UPDATE agents SET {sets} WHERE workspace_id = $1 AND id = $2", self.id, agent_id, *values.values()
        )

    async def told(self, topic: str = "") -> list[Told]:
        """What was told so far, or of it one topic: `condition-raised`."""
        rows = await self.admin.fetch(TOLD, self.id)
        told = [Told(row["topic"].rpartition(".")[2], row["key"], json.loads(row["payload"])["data"]) for row in rows]
        return [each for each in told if topic in each.topic]

    async def fill(self, count: int, *, client_id: str, silent_at: datetime) -> None:
        """So many agents at once, which are online."""
        await self.admin.execute(MANY, self.id, count, client_id, silent_at, NOW)

    async def count(self, table: str) -> int:
        count: int = await self.admin.fetchval(f"SELECT count(*) FROM {table} WHERE workspace_id = $1", self.id)
        return count
