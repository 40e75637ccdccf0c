"""How far a service's database has been brought. Migrations run before the programs that need them (`kit.migrate`, a
job of its own); a program that is there sooner waits. One that is older than its database goes on: migrations only add
until all programs are new (expand and contract)."""

import asyncio
from pathlib import Path

import asyncpg

from kit.bootstrap import database_name
from kit.database import relay_connection
from kit.logs import get_logger

REPOSITORY = Path(__file__).resolve().parent.parent
_PAUSE = 2.0

log = get_logger(__name__)


def versions_folder(service: str, services: Path = REPOSITORY / "services") -> Path:
    """Where its migrations stand: `0001_….py` and on."""
    return services / database_name(service) / "migrations" / "versions"


def newest(service: str) -> str:
    """The number of its latest migration; empty where it has none."""
    return max((file.name[:4] for file in versions_folder(service).glob("[0-9]*.py")), default="")


async def wait_for(service: str, relay_url: str, stopping: asyncio.Event) -> bool:
    """Wait until its database is as new as this program; False when asked to stop before. Raises
    asyncpg.PostgresError and OSError when the database cannot be reached."""
    wanted = newest(service)
    while not stopping.is_set():
        found = await _current(relay_url)
        if found >= wanted:
            return True
        log.warning("waiting for migrations", found=found or "none", wanted=wanted)
        await asyncio.sleep(_PAUSE)
    return False


async def is_newest(service: str, relay_url: str) -> bool:
    """Whether its database lacks none of its migrations; False for a service that has none. Raises as `wait_for`."""
    wanted = newest(service)
    return wanted != "" and await _current(relay_url) >= wanted


async def _current(relay_url: str) -> str:
    async with relay_connection(relay_url) as connection:
        try:
            return str(await connection.fetchval("SELECT version_num FROM migrations.alembic_version"))
        except (asyncpg.InvalidSchemaNameError, asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
            return ""
