"""Prepares one service's database: its roles, their limits and its extensions. Run as a superuser, safe to repeat.

Each service gets a database of its own name and four roles, none of which can bypass row-level security:

- `<service>_owner` owns the database and everything in it; migrations use it, the running service never does;
- `<service>_app` reads and writes rows, owns nothing;
- `<service>_client` nobody logs in as: `<service>_app` takes it on for what a person of a client asks for, and with it
  no rights but those that migrations grant to it;
- `<service>_relay` gets nothing but what migrations grant to it (the outbox).

    DATABASE_ADMIN_URL=… OWNER_PASSWORD=… APP_PASSWORD=… RELAY_PASSWORD=… python -m kit.bootstrap --service ops
"""

import argparse
import asyncio
import re
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from kit.database import client_role
from kit.database_settings import BootstrapSettings
from kit.settings import read

# One number for all services, so that two bootstraps against one server take turns: roles are shared by all databases.
BOOTSTRAP_LOCK = 0x6F707366

# A caller's request is answered or given up within the gateway's time limit, and holds no lock longer than that.
APP_LIMITS = {"lock_timeout": "1s", "statement_timeout": "15s", "idle_in_transaction_session_timeout": "30s"}
# The relay waits for Kafka inside its transaction; only one that has stalled for good is cut off.
RELAY_LIMITS = {"lock_timeout": "0", "statement_timeout": "0", "idle_in_transaction_session_timeout": "5min"}

EXTENSIONS = ("pg_trgm", "btree_gin")


@dataclass(frozen=True)
class Passwords:
    """The passwords of a service's database roles that log in."""

    owner: str
    app: str
    relay: str


def database_name(service: str) -> str:
    """The name in Postgres and Python of a service: `agent-runtime` is `agent_runtime`.

    Raises ValueError for a name that is not lower-case words.
    """
    name = service.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,50}", name):
        raise ValueError(f"'{service}' is no service name: it may hold lower-case letters, digits and dashes only.")
    return name


def with_database(url: str, database: str) -> str:
    """The same server's URL, for another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


async def bootstrap_database(admin_url: str, service: str, passwords: Passwords) -> None:
    """Create or bring up to date the roles, the database and the privileges of `service`.

    `admin_url` is a superuser's URL of any database of the server. Raises asyncpg.PostgresError when the server refuses
    (InsufficientPrivilegeError when the role is no superuser).
    """
    name = database_name(service)
    admin = await asyncpg.connect(admin_url)
    try:
        # Held by this connection until it closes: whoever bootstraps at the same time waits for all of it.
        await admin.execute("SELECT pg_advisory_lock($1)", BOOTSTRAP_LOCK)
        await _create_roles(admin, name, passwords)
        await _create_database(admin, name)
        inside = await asyncpg.connect(with_database(admin_url, name))
        try:
            async with inside.transaction():
                await _prepare_database(inside, name)
        finally:
            await inside.close()
    finally:
        await admin.close()


async def _create_roles(admin: asyncpg.Connection, name: str, passwords: Passwords) -> None:
    roles: list[tuple[str, str, dict[str, str]]] = [
        (f"{name}_owner", passwords.owner, {}),
        (f"{name}_app", passwords.app, APP_LIMITS),
        (f"{name}_relay", passwords.relay, RELAY_LIMITS),
    ]
    for role, password, limits in roles:
        if not await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
            await admin.execute(f'CREATE ROLE "{role}"')
        # Only the server can quote a literal for its own DDL, which takes no parameters.
        literal = await admin.fetchval("SELECT quote_literal($1::text)", password)
        await admin.execute(
            f'ALTER ROLE "{role}" LOGIN PASSWORD {literal} '
            "NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT"
        )
        for setting, value in limits.items():
            await admin.execute(f"ALTER ROLE \"{role}\" SET {setting} = '{value}'")
    client = client_role(name)
    if not await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", client):
        await admin.execute(f'CREATE ROLE "{client}"')
    await admin.execute(
        f'ALTER ROLE "{client}" NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT'
    )
    # To take on, not to have: policies for the client's role do not bind the service as long as it is not in it.
    await admin.execute(f'GRANT "{client}" TO "{name}_app" WITH INHERIT FALSE, SET TRUE, ADMIN FALSE')


async def _create_database(admin: asyncpg.Connection, name: str) -> None:
    if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
        await admin.execute(f'CREATE DATABASE "{name}" OWNER "{name}_owner"')
    await admin.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    await admin.execute(f'GRANT CONNECT ON DATABASE "{name}" TO "{name}_app", "{name}_relay"')


async def _prepare_database(inside: asyncpg.Connection, name: str) -> None:
    owner, app, relay = f"{name}_owner", f"{name}_app", f"{name}_relay"
    for extension in EXTENSIONS:
        await inside.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    # Row-level security lets only leak-proof operators reach an index, so free-text search could not use its trigram
    # index. LIKE's only error depends on the pattern, which the caller knows already.
    await inside.execute("ALTER FUNCTION pg_catalog.textlike(text, text) LEAKPROOF")
    await inside.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    await inside.execute(f'GRANT USAGE ON SCHEMA public TO "{app}", "{relay}", "{client_role(name)}"')
    own_new = f'ALTER DEFAULT PRIVILEGES FOR ROLE "{owner}" IN SCHEMA public GRANT'
    await inside.execute(f'{own_new} SELECT, INSERT, UPDATE, DELETE ON TABLES TO "{app}"')
    await inside.execute(f'{own_new} USAGE, SELECT ON SEQUENCES TO "{app}"')


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kit.bootstrap", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--service", required=True, help="whose database, for example ops")
    parser.add_argument("--admin-url", help="a superuser's database URL (default: DATABASE_ADMIN_URL)")
    arguments = parser.parse_args()
    settings = read(BootstrapSettings)
    admin_url = arguments.admin_url or settings.database_admin_url
    if not admin_url:
        parser.error("say whose server it is: --admin-url, or DATABASE_ADMIN_URL in the environment")
    passwords = Passwords(settings.owner_password, settings.app_password, settings.relay_password)
    try:
        asyncio.run(bootstrap_database(admin_url, arguments.service, passwords))
    except (ValueError, OSError, asyncpg.PostgresError) as error:
        print(f"The database of {arguments.service} could not be prepared: {error}", file=sys.stderr)
        return 1
    print(f"The database of {arguments.service} is ready.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
