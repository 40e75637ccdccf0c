"""`python -m services.ops.demo [WORKSPACE]`: load the demo workspace, once. Progress on stdout."""

import asyncio
import sys

from kit.database import Database
from kit.settings import read
from services.ops.demo.load import WORKSPACE, load
from services.ops.settings import Settings


async def main(workspace_id: str) -> None:
    database = await Database.connect(read(Settings).database_url, size=1)
    try:
        await load(database, workspace_id)
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else WORKSPACE))
