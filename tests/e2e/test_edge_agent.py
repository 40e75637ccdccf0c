"""The endpoint agent itself, on this machine, against the platform: what a provider sees when it is rolled out."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents import new_enrollment_token
from tests.platform import Api, Platform, eventually

SOURCE = Path(__file__).resolve().parents[2] / "edge_agent" / "src"
PROMPT = {"scope": "workspace", "sendSeconds": 5, "metricsSeconds": 5, "offlineAfterSeconds": 10}


class Program:
    """`opsfield-agent` with a state of its own."""

    def __init__(self, state_dir: Path) -> None:
        self._state = ("--state-dir", str(state_dir))
        self._log = (state_dir.parent / "agent.log").open("ab")
        self._running: subprocess.Popen[bytes] | None = None

    def call(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "opsfield_agent", command, *self._state, *arguments]
        return subprocess.run(
            line, env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, timeout=60, check=False
        )

    def start(self) -> None:
        line = [sys.executable, "-m", "opsfield_agent", "run", *self._state]
        self._running = subprocess.Popen(line, env={"PYTHONPATH": str(SOURCE)}, stderr=self._log, stdout=self._log)

    def stop(self) -> None:
        if self._running:
            self._running.terminate()
            self._running.wait(20)
            self._running = None

    def close(self) -> None:
        self.stop()
        self._log.close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Program]:
    program = Program(tmp_path / "state")
    yield program
    program.close()


def the_one(api: Api, path: str, **query: Any) -> dict[str, Any]:
    """The one that there is, once there is one."""
    found: list[dict[str, Any]] = eventually(lambda: api.get(path, params=query).json()["data"], seconds=60)
    assert len(found) == 1
    return found[0]


def test_from_enrollment_to_silence(platform: Platform, api: Api, agent: Program) -> None:
    policy = api.post("/edge-policies", json=PROMPT).json()
    token = new_enrollment_token(api)
    refused = agent.call("enroll", "--url", platform.stack.base_url, "--token", token + "x")
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    enrolled = agent.call("enroll", "--url", platform.stack.base_url, "--token", token)
    assert enrolled.returncode == 0, enrolled.stderr
    agent.start()

    asset = the_one(api, "/assets", status="online")
    assert asset["hostname"]
    assert asset["operatingSystem"]
    path = f"/edge-agent/agents/{asset['agentId']}/metrics"
    series = {each["name"] for each in eventually(lambda: api.get(path).json()["series"], seconds=30)}
    assert {"cpu.used_percent", "memory.used_percent", "disk.used_percent", "host.uptime_seconds"} <= series

    # Every disk is fuller than nothing.
    full = {"name": "disk-space", "metric": "disk.used_percent", "instance": "/", "operator": "above", "raiseAt": 0}
    api.patch(f"/edge-policies/{policy['id']}", json={"thresholds": [full]})
    alert = the_one(api, "/alerts", status="firing")
    assert (alert["assetId"], alert["rule"]) == (asset["id"], "disk-space")
    the_one(api, "/assets", status="degraded")
    api.patch(f"/edge-policies/{policy['id']}", json={"thresholds": [{**full, "raiseAt": 100}]})
    assert the_one(api, "/alerts", status="resolved")["id"] == alert["id"]
    the_one(api, "/assets", status="online")

    status = agent.call("status")
    assert status.returncode == 0
    assert api.workspace in status.stdout
    bearer = agent.call("token", "--days", "1").stdout.strip()
    assert bearer.count(".") == 2
    agent.stop()
    the_one(api, "/assets", status="offline")
    [batch, *_] = api.get("/events/ingest-batches").json()["data"]
    assert batch["rejected"] == 0
