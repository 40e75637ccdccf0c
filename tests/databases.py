"""What lies in the databases of a running platform, for what no answer of it tells."""

from typing import Any

import asyncpg

from kit.bootstrap import with_database
from tests.platform import Platform


def rows(platform: Platform, service: str, statement: str, *values: Any) -> list[asyncpg.Record]:
    """What a statement comes to in a service's database (`agent_runtime`), as superuser: across workspaces."""

    async def fetch() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(with_database(platform.stack.admin_url, service))
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    return platform.run(fetch())


def count(platform: Platform, service: str, query: str, *values: Any) -> int:
    """What a query that counts comes to there."""
    [[number]] = rows(platform, service, query, *values)
    return int(number)
