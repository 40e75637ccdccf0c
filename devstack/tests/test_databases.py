"""What `kit.bootstrap` and `kit.migrate` make of a database, on a real server."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from devstack import databases
from devstack.layout import SERVICES
from devstack.postgres import Postgres
from kit import schema_version
from kit.bootstrap import Passwords, bootstrap_database
from kit.migrate import MissingMigrations, upgrade

FIRST = """
from kit import schema
revision, down_revision = "0001", None
def upgrade(): schema.execute("CREATE TABLE notes (text text); CREATE TABLE outbox (id int); "
                              "GRANT SELECT ON outbox TO agent_runtime_relay")
"""
BROKEN = """
from kit import schema
revision, down_revision = "0002", "0001"
def upgrade():
    schema.execute("CREATE TABLE half (id int); INSERT INTO notes VALUES ('half')")
    raise RuntimeError("in the middle")
"""


@pytest.fixture
async def database(postgres: Postgres, tmp_path: Path) -> Postgres:
    """The database of agent-runtime, prepared twice at once and migrated."""
    password = postgres.url("agent-runtime", "app").split(":")[2].split("@")[0]
    passwords = Passwords(password, password, password)
    await asyncio.gather(*(bootstrap_database(postgres.admin_url, "agent-runtime", passwords) for _ in range(2)))
    (versions(tmp_path) / "0001_first.py").write_text(FIRST)
    await upgrade("agent-runtime", postgres.url("agent-runtime", "owner"), tmp_path)
    return postgres


def versions(services: Path) -> Path:
    folder = services / "agent_runtime" / "migrations" / "versions"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def connect(postgres: Postgres, role: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(postgres.url("agent-runtime", role))


async def test_the_service_reads_and_writes_rows_and_changes_no_schema(database: Postgres) -> None:
    app = await connect(database, "app")
    await app.execute("INSERT INTO notes VALUES ('x')")
    assert await app.fetchval("SELECT count(*) FROM notes") == 1
    for forbidden in ("CREATE TABLE more ()", "DROP TABLE notes", "SELECT * FROM migrations.alembic_version"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(forbidden)
    await app.close()


async def test_the_relay_has_only_what_migrations_granted(database: Postgres) -> None:
    relay = await connect(database, "relay")
    assert await relay.fetch("SELECT * FROM outbox") == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await relay.execute("SELECT * FROM notes")
    await relay.close()


async def test_no_role_can_bypass_row_level_security(database: Postgres) -> None:
    app = await connect(database, "app")
    rows = await app.fetch(
        "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb AS strong FROM pg_roles "
        "WHERE rolname LIKE 'agent%'"
    )
    assert [row["strong"] for row in rows] == [False] * 4
    assert await app.fetchval("SHOW lock_timeout") == "1s"
    assert await app.fetchval("SHOW statement_timeout") == "15s"
    await app.close()


async def test_like_may_use_an_index_under_row_level_security(database: Postgres) -> None:
    app = await connect(database, "app")
    assert await app.fetchval("SELECT proleakproof FROM pg_proc WHERE oid = 'textlike(text, text)'::regprocedure")
    await app.close()


async def test_half_of_a_migration_never_stays(database: Postgres, tmp_path: Path) -> None:
    (versions(tmp_path) / "0002_broken.py").write_text(BROKEN)
    with pytest.raises(RuntimeError, match="in the middle"):
        await upgrade("agent-runtime", database.url("agent-runtime", "owner"), tmp_path)
    owner = await connect(database, "owner")
    assert await owner.fetchval("SELECT to_regclass('half')") is None
    assert await owner.fetchval("SELECT count(*) FROM notes") == 0
    assert await owner.fetchval("SELECT version_num FROM migrations.alembic_version") == "0001"
    await owner.close()


async def test_a_program_waits_until_its_database_is_as_new(
    database: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, stopping = database.url("agent-runtime", "relay"), asyncio.Event()
    # Its database stands at 0001: newer than the one, as new as the other, older than the third.
    for wanted in ("", "0001"):
        monkeypatch.setattr(schema_version, "newest", lambda service, wanted=wanted: wanted)
        assert await schema_version.wait_for("agent-runtime", url, stopping)
    monkeypatch.setattr(schema_version, "newest", lambda service: "0002")
    waiting = asyncio.create_task(schema_version.wait_for("agent-runtime", url, stopping))
    owner = await connect(database, "owner")
    await owner.execute("UPDATE migrations.alembic_version SET version_num = '0002'")
    assert await waiting
    await owner.execute("UPDATE migrations.alembic_version SET version_num = '0001'")
    waiting = asyncio.create_task(schema_version.wait_for("agent-runtime", url, stopping))
    stopping.set()
    assert not await waiting
    await owner.close()


async def test_a_database_is_migrated_only_where_it_lacks_a_migration(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    await databases.prepare("platform", postgres)
    relay = postgres.url("platform", "relay")
    assert await schema_version.is_newest("platform", relay)

    async def refuse(service: str, owner_url: str) -> None:
        raise AssertionError(f"{service} is migrated at {owner_url}")

    monkeypatch.setattr("kit.migrate.upgrade", refuse)
    await databases.prepare("platform", postgres)
    monkeypatch.setattr(schema_version, "newest", lambda service: "9999")
    assert not await schema_version.is_newest("platform", relay)
    with pytest.raises(AssertionError, match="platform is migrated"):
        await databases.prepare("platform", postgres)
    monkeypatch.setattr(schema_version, "newest", lambda service: "")
    assert not await schema_version.is_newest("platform", relay)


def test_the_newest_migration_is_known_without_alembic() -> None:
    for service in SERVICES:
        files = sorted(schema_version.versions_folder(service).glob("0*.py"))
        assert f'revision = "{schema_version.newest(service)}"' in files[-1].read_text()
        assert all(f'revision = "{file.name[:4]}"' in file.read_text() for file in files)


async def test_a_service_without_migrations_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(MissingMigrations, match="portal has no migrations"):
        await upgrade("portal", "postgresql://nobody@127.0.0.1:1/portal", tmp_path)
