"""Services read their settings while the platform service, or Kafka, is away."""

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import rows
from tests.e2e.test_settings import WORKSPACE, desk, reopen, resolved_ticket
from tests.platform import Api, Platform, assert_problem, eventually


@pytest.fixture
def api(platform: Platform) -> Iterator[Api]:
    with platform.api(("data_admin", "ops_engineer")) as api:
        yield api


def saved_versions(platform: Platform, workspace: str) -> list[int]:
    query = "SELECT version FROM settings_copies WHERE workspace_id = $1"
    return [row["version"] for row in rows(platform, "ops", query, workspace)]


def test_a_service_starts_with_its_last_known_settings(platform: Platform, api: Api) -> None:
    ticket = resolved_ticket(api)
    api.put(WORKSPACE, json=desk(0))
    eventually(lambda: reopen(api, ticket) == 409)
    eventually(lambda: saved_versions(platform, api.workspace) == [1])
    with platform.api(("data_admin", "ops_engineer")) as stranger:
        unknown = resolved_ticket(stranger)
        platform.kill("platform")
        try:
            assert reopen(api, ticket) == 409
            time.sleep(2.5)  # younger copies count as right
            platform.restart("ops")
            assert reopen(api, ticket) == 409
            log = platform.stack.layout.log("ops").read_text()
            assert "starting with the last known settings" in log
            # What was never known is not guessed at.
            assert_problem(stranger.patch(f"/tickets/{unknown['id']}", json={"status": "open"}), 503, "unavailable")
        finally:
            platform.start("platform")
        eventually(lambda: reopen(stranger, unknown) == 200)
        api.put(WORKSPACE, json={})
        eventually(lambda: reopen(api, ticket) == 200)


def test_a_change_arrives_while_kafka_is_away(platform: Platform, api: Api) -> None:
    ticket = resolved_ticket(api)
    assert reopen(api, ticket) == 200
    platform.stop("kafka")
    try:
        api.put(WORKSPACE, json=desk(0))
        eventually(lambda: reopen(api, resolved_ticket(api)) == 409, seconds=4)
    finally:
        platform.start("kafka")


def test_a_service_that_never_knew_its_settings_says_that_it_cannot_start(tmp_path: Path) -> None:
    with Platform(tmp_path, services=("platform",)) as platform:
        platform.stop("platform")
        ops = platform.stack.environment("portal")
        # Another database that was migrated and never served: platform's own, seen as portal would.
        environment = {**ops, "DATABASE_URL": platform.stack.database_url("platform")}
        environment["DATABASE_RELAY_URL"] = platform.stack.database_url("platform", "relay")
        rows(platform, "platform", "DELETE FROM settings_copies")
        code, output = asyncio.run(_start_portal(environment))
        assert code == 1
        assert "cannot start" in output
        assert "the platform's settings are not known" in output
        assert "Traceback" not in output


async def _start_portal(environment: dict[str, str]) -> tuple[int | None, str]:
    program = "import kit.live_settings as live; live._START_SECONDS = 1.0; import runpy; "
    program += "runpy.run_module('services.portal', run_name='__main__')"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()
