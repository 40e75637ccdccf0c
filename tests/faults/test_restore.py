"""Backup and restore as docs/operations.md says: dumps of a running platform, restored into a new server, are the
platform again, with row-level security, roles, partitions, secrets and an audit trail that verifies."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import asyncpg

from devstack.layout import Layout
from devstack.ports import free_ports
from devstack.postgres import HOST, Postgres, binary
from kit.bootstrap import Passwords, bootstrap_database, with_database
from services.workflow.audit.verify import verify_trail
from tests.platform import Api, Platform, eventually, new_key
from tests.service_identity import secret_value

DUMPED = ("ops", "platform", "workflow")
# What a dump of rows alone would lose.
CATALOGUE = {
    "tables": """
        SELECT relname, relkind::text, relrowsecurity, relforcerowsecurity, relacl::text, relispartition,
            pg_get_userbyid(relowner) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S') ORDER BY relname""",
    "policies": "SELECT tablename, policyname, roles::text, qual, with_check FROM pg_policies ORDER BY 1, 2",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    "triggers": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 2",
    "functions": """
        SELECT proname, proleakproof, prosecdef, proacl::text FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace OR proname = 'textlike' ORDER BY 1, 4""",
    "extensions": "SELECT extname FROM pg_extension ORDER BY 1",
    "defaults": "SELECT defaclobjtype::text, defaclacl::text FROM pg_default_acl ORDER BY 1",
    "version": "SELECT version_num FROM migrations.alembic_version",
}


def test_a_dump_restored_into_a_new_server_is_the_platform_again(platform: Platform, tmp_path: Path) -> None:
    first = Before(platform)
    dumps = {name: tmp_path / f"{name}.dump" for name in DUMPED}
    for name, file in dumps.items():
        run("pg_dump", "--format=custom", f"--file={file}", f"--dbname={database(platform, name)}")
    found = {name: asyncio.run(catalogue(database(platform, name))) for name in DUMPED}

    layout = keys_of(platform, tmp_path / "restored")
    asyncio.run(restore(layout, dumps, found))
    with Platform(layout.data, services=DUMPED) as restored:
        first.is_all_there(restored)


class Before:
    """A workspace with a bit of everything, before the dump."""

    def __init__(self, platform: Platform) -> None:
        with platform.api() as api:
            self.workspace = api.workspace
            self.ticket = api.new_ticket(subject="Before the fire")
            self.request = {"json": {"subject": "Once", "clientId": self.ticket["clientId"]}, "key": new_key()}
            self.once = api.post("/tickets", **self.request).json()
        with platform.api(("integration_admin",), workspace=self.workspace) as admin:
            assert admin.post("/workspace/secrets/accounting.xero", json={"value": "kept"}).status_code == 201
        with platform.api(("data_admin",), workspace=self.workspace) as admin:
            settings = admin.get("/workspace/settings").json()["settings"]
            assert admin.put("/workspace/settings", json=settings).status_code == 200
        with platform.api(workspace=self.workspace) as api:
            self.issuer, self.credentials = eventually(lambda: trail(api), seconds=60)

    def is_all_there(self, restored: Platform) -> None:
        with restored.api(workspace=self.workspace) as api:
            assert api.get(f"/tickets/{self.ticket['id']}").json() == self.ticket
            number = api.new_ticket(clientId=self.ticket["clientId"])["number"]
            assert number > self.once["number"]
        with restored.api() as stranger:
            assert stranger.get(f"/tickets/{self.ticket['id']}").status_code == 404
            assert stranger.get("/tickets").json()["page"]["total"] == 0
        with restored.api(workspace=self.workspace) as api:
            again = api.post("/tickets", **self.request)
            assert (again.json(), again.headers["idempotency-replayed"]) == (self.once, "true")
        assert secret_value(restored, "integrations", self.workspace, "accounting.xero") == "kept"
        with restored.api(workspace=self.workspace) as api:
            issuer, credentials = eventually(lambda: trail(api))
            assert (issuer, credentials[: len(self.credentials)]) == (self.issuer, self.credentials)


def trail(api: Api) -> tuple[str, list[str]]:
    """The trail's issuer and its credentials, oldest first, which verify. Fails while there are none."""
    checkpoint = api.get("/audit-credentials/checkpoint")
    assert checkpoint.status_code == 200, checkpoint.text
    signed: dict[str, Any] = checkpoint.json()
    query = {"sortBy": "position", "sortOrder": "asc", "limit": 200}
    found = [each["jwt"] for each in api.get("/audit-credentials", params=query).json()["data"]][: signed["size"]]
    exported = json.dumps({"credentials": found, "checkpoint": signed["note"]})
    verified = verify_trail(exported, [signed["issuer"]])
    assert verified.credentials == signed["size"]
    return signed["issuer"], found


def keys_of(platform: Platform, folder: Path) -> Layout:
    """A data folder with the platform's keys and passwords, and nothing else of it."""
    source, layout = platform.stack.layout, Layout(folder)
    layout.create()
    shutil.copytree(source.keys, layout.keys, dirs_exist_ok=True)
    for each, copy in ((source.jwt_secret, layout.jwt_secret), (source.database_password, layout.database_password)):
        shutil.copy(each, copy)
    return layout


async def restore(layout: Layout, dumps: dict[str, Path], found: dict[str, dict[str, Any]]) -> None:
    """Into a server of its own, which is stopped again."""
    postgres = Postgres(layout, free_ports(HOST, ["postgres"])["postgres"])
    await postgres.start()
    try:
        password = layout.database_password.read_text().strip()
        for name, file in dumps.items():
            await bootstrap_database(postgres.admin_url, name, Passwords(password, password, password))
            url = with_database(postgres.admin_url, name)
            run("pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={url}", str(file))
            assert await catalogue(url) == found[name]
    finally:
        await postgres.child.stop()


def database(platform: Platform, name: str) -> str:
    """As superuser."""
    return with_database(platform.stack.admin_url, name)


async def catalogue(url: str) -> dict[str, Any]:
    connection = await asyncpg.connect(url)
    try:
        return {what: [tuple(row) for row in await connection.fetch(query)] for what, query in CATALOGUE.items()}
    finally:
        await connection.close()


def run(program: str, *arguments: str) -> None:
    done = subprocess.run([binary(program), *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
