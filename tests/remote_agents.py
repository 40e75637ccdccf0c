"""Agents of AgentField's own SDK, as processes, for tests that go through the platform's front door."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.platform import Api, eventually, own_host

REPOSITORY = Path(__file__).resolve().parents[1]
PYTHON = REPOSITORY / ".venv-agentfield" / "bin" / "python"
PROGRAM = REPOSITORY / "tests" / "agentfield_agent.py"
# A machine that does much else takes its time to start a Python process with so many imports.
SECONDS = 120.0


class AgentProcess:
    """An agent that can be killed and started again. `folder` is where it leaves its marks."""

    def __init__(self, name: str, server: str, key: str, folder: Path, program: Path = PROGRAM) -> None:
        if not PYTHON.exists():
            pytest.fail("The SDK is missing: `make test` and `make .venv-agentfield/stamp` install it.")
        self.name = name
        self.folder = folder
        self.port = _free_port()
        self._program = program
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PORT": str(self.port),
            "AGENTFIELD_SERVER": server,
            "AGENTFIELD_API_KEY": key,
            "HOST": (host := own_host()),
            "AGENT_CALLBACK_URL": f"http://{host}:{self.port}",
            # Neither the cloud's metadata nor a list of prices is asked for.
            "AGENTFIELD_DISABLE_IP_DETECTION": "1",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                # Without -P what lies beside the program would hide modules of Python's own.
                [str(PYTHON), "-P", str(self._program), self.name, str(self.port), str(self.folder)],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        self._end(subprocess.Popen.kill)

    def stop(self) -> None:
        self._end(subprocess.Popen.terminate)

    @property
    def has_ended(self) -> bool:
        """By itself."""
        return self._process is not None and self._process.poll() is not None

    def log(self) -> str:
        return (self.folder / f"{self.name}.log").read_text(errors="replace")

    def marks(self, name: str) -> int:
        """How often a run left this mark."""
        path = self.folder / name
        return len(path.read_text().splitlines()) if path.exists() else 0

    def _end(self, how: Any) -> None:
        if self._process is not None:
            how(self._process)
            self._process.wait(60)
            self._process = None


@contextmanager
def agent(api: Api, server: str, folder: Path, name: str = "inventory", **options: Any) -> Iterator[AgentProcess]:
    """An agent that is registered in the workspace of `api`, with a key of its own."""
    process = AgentProcess(name, server, new_agent_key(api)["key"], folder, **options)
    process.start()
    try:
        wait_until_reachable(api, process)
        yield process
    except BaseException:
        print(process.log())
        raise
    finally:
        process.kill()


def new_agent_key(api: Api, **fields: Any) -> dict[str, Any]:
    answer = api.post("/agent-runtime/agent-keys", json={"name": "a test's agent", **fields})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def wait_until_reachable(api: Api, process: AgentProcess, *, is_reachable: bool = True) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        if process.has_ended:
            pytest.fail(f"the agent ended: {process.log()}")
        found = listed(api, process.name)
        return found if found and found["reachable"] is is_reachable else None

    found = eventually(look, seconds=SECONDS)
    assert found
    return found


def listed(api: Api, name: str) -> dict[str, Any] | None:
    """The agent, as the workspace sees it."""
    agents = api.get("/agent-runtime/agents", params={"limit": 200}).json()["data"]
    return next((each for each in agents if each["id"] == name), None)


def execute(api: Api, target: str, given: dict[str, Any], **options: Any) -> str:
    answer = api.post(f"/execute/{target}", json={"input": given, **options})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def ended(api: Api, execution: str, status: str = "succeeded") -> dict[str, Any]:
    """The execution, once it has ended, which it is to have done so."""

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = api.get(f"/workflow-executions/{execution}").json()
        return found if found["isFinal"] or found["status"] == status else None

    found = eventually(look, seconds=SECONDS)
    assert found
    assert found["status"] == status, found
    return found


def output(api: Api, execution: dict[str, Any]) -> Any:
    return api.get(f"/artifacts/{execution['outputRef']}").json()


def howto_program(folder: Path) -> Path:
    """The agent of the documentation, as a file."""
    text = (REPOSITORY / "docs" / "howto" / "connect-an-agent.md").read_text()
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    program = folder / "agent.py"
    program.write_text(found[1])
    return program


def as_agent(server: str, key: str | None) -> httpx.Client:
    """Requests of an agent, which has nothing but its key."""
    headers = {} if key is None else {"x-api-key": key}
    return httpx.Client(base_url=f"{server}/api/v1", headers=headers, timeout=30)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((own_host(), 0))
        return int(found.getsockname()[1])
