"""What the service told: its outbox."""

import json
from typing import Any

import asyncpg

_TOLD = "SELECT topic, payload FROM outbox WHERE workspace_id = $1 AND key = $2 ORDER BY sequence"


async def told(admin: "asyncpg.Connection[asyncpg.Record]", workspace: str, key: str) -> list[tuple[str, Any]]:
    """Topics (without what all have in common) and data of the events of an execution, in their order."""
    rows = await admin.fetch(_TOLD, workspace, key)
    return [(row["topic"].removeprefix("internal.workflow."), json.loads(row["payload"])["data"]) for row in rows]


async def topics(admin: "asyncpg.Connection[asyncpg.Record]", workspace: str, key: str) -> list[str]:
    return [topic for topic, _ in await told(admin, workspace, key)]
