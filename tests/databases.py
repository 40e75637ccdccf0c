"""What lies in the databases of a running platform, for what no answer of it tells."""

from typing import Any

import asyncpg

from kit.bootstrap import with_database
from tests.platform import Platform


def count(platform: Platform, service: str, query: str, *values: Any) -> int:
    """What a query that counts comes to in a service's database (`agent_runtime`), across workspaces."""

    async def fetch() -> int:
        connection = await asyncpg.connect(with_database(platform.stack.admin_url, service))
        try:
            return int(await connection.fetchval(query, *values))
        finally:
            await connection.close()

    return platform.run(fetch())
