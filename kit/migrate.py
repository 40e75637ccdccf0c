"""Brings one service's database to the newest schema, with Alembic.

Migrations stand in `services/<service>/migrations/versions/`; the environment they run in stands once, in
`kit/migrations_env/`. The version table lives in a schema of its own, `migrations`, out of the service's reach.

    DATABASE_OWNER_URL=… python -m kit.migrate ops
"""

import argparse
import asyncio
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kit.bootstrap import database_name
from kit.database_settings import MigrateSettings
from kit.schema_version import REPOSITORY, versions_folder
from kit.settings import read

# Replicas that start together take turns; the lock is per database, so one number serves all services.
MIGRATION_LOCK = 0x6D696772
# A migration that waits for a table's lock makes every later request wait behind it: better to fail and be run again.
LOCK_TIMEOUT = "10s"


class MissingMigrations(LookupError):
    """The service has no folder of migrations."""


async def upgrade(service: str, owner_url: str, services: Path = REPOSITORY / "services") -> None:
    """Run every migration of `service` that its database lacks; each one commits by itself.

    Raises MissingMigrations when there is no folder for it, SQLAlchemyError, OSError or alembic's CommandError when
    a migration or the connection fails.
    """
    versions = versions_folder(service, services)
    if not versions.is_dir():
        raise MissingMigrations(f"{service} has no migrations: {versions} does not exist.")
    config = Config()
    # The configuration takes a percent sign for a reference to another value.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations_env").replace("%", "%%"))
    config.set_main_option("version_locations", str(versions).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    engine = create_async_engine(make_url(owner_url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)
    async with engine.connect() as connection:
        # Held by the connection, not by a transaction, until it closes.
        await connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
        await connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        await connection.execute(text("CREATE SCHEMA IF NOT EXISTS migrations"))
        await connection.commit()
        await connection.run_sync(_run, config)
        # The programs look whether it is new enough (`kit.schema_version`).
        relay = f"{database_name(service)}_relay"
        await connection.execute(text(f"GRANT USAGE ON SCHEMA migrations TO {relay}"))
        await connection.execute(text(f"GRANT SELECT ON migrations.alembic_version TO {relay}"))
        await connection.commit()


def _run(connection: Connection, config: Config) -> None:
    # asyncpg's adapter puts off the real BEGIN until it runs a statement itself, which a migration that talks to the
    # driver never asks of it: without this, half of a migration that fails would stay.
    event.listen(connection, "begin", lambda begun: begun.exec_driver_sql("SELECT 1"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kit.migrate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("service", help="whose database, for example ops")
    service = parser.parse_args().service
    settings = read(MigrateSettings)
    try:
        asyncio.run(upgrade(service, settings.database_owner_url))
    except (LookupError, ValueError, OSError, CommandError, SQLAlchemyError) as error:
        print(f"The database of {service} could not be migrated: {error}", file=sys.stderr)
        return 1
    print(f"The database of {service} is up to date.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
