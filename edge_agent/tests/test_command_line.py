"""The command line: bad input, help, and an installation that stands alone."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from edge_agent.tests.agent import Agent
from edge_agent.tests.platform_server import TOKEN, Platform
from opsfield_agent import __version__

PROJECT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["enroll"],
        ["enroll", "--url", "https://x.example"],
        ["enroll", "--url", "https://x.example", "--token", "a.b", "--wait", "long"],
        ["run", "--log-level", "loud"],
        ["status", "--yaml"],
        ["token", "--days", "1000"],
    ],
)
def test_a_wrong_command_is_a_mistake(arguments: list[str]) -> None:
    done = _python("-m", "opsfield_agent", *arguments)
    assert done.returncode == 2
    assert "usage: opsfield-agent" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_version() -> None:
    assert "enroll" in _python("-m", "opsfield_agent", "--help").stdout
    assert _python("-m", "opsfield_agent", "--version").stdout.strip() == __version__


def test_status_of_an_agent_that_is_not_enrolled(fresh: Agent) -> None:
    done = fresh.command("status")
    assert done.returncode == 1
    assert "not enrolled" in done.stdout
    assert done.stderr == ""


def test_the_environment_names_the_state_directory(tmp_path: Path, platform: Platform) -> None:
    environment = {**os.environ, "OPSFIELD_AGENT_STATE_DIR": str(tmp_path / "here")}
    done = _python("-m", "opsfield_agent", "enroll", "--url", platform.url, "--token", TOKEN, environment=environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "here" / "identity.json").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_no_permission_is_one_sentence(agent: Agent) -> None:
    # The interpreter stands where only root may read, so the change of user comes after it has started.
    change = "import os, sys; from opsfield_agent.command_line import main; os.setgroups([]); os.setuid(65534)"
    for command in ("status", "run", "token"):
        program = f"{change}; sys.exit(main(['{command}', '--state-dir', '{agent.state_dir}']))"
        done = _python("-c", program)
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith("No permission to use ")
        assert len(done.stderr.splitlines()) == 1


def test_it_imports_little() -> None:
    heavy = {"asyncio", "pydantic", "grpc", "urllib3", "httpx", "sqlite3", "xml", "multiprocessing", "opsfield", "kit"}
    done = _python("-c", "import sys, opsfield_agent.command_line; print(*sys.modules)")
    assert not heavy & set(done.stdout.split())


def test_it_installs_and_stands_alone(tmp_path: Path, platform: Platform) -> None:
    """With pip, in an environment of its own, of which nothing of the platform is a part."""
    venv.create(tmp_path / "venv", with_pip=True)
    pip = [str(tmp_path / "venv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    # A copy: building leaves files beside the source.
    subprocess.run(["cp", "-r", str(PROJECT), str(tmp_path / "edge_agent")], check=True)
    reachable = subprocess.run(
        [*pip, "download", "--quiet", "--no-deps", "--retries", "0", "--timeout", "10", "psutil"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    if reachable.returncode != 0:
        pytest.skip("no package registry can be reached")
    subprocess.run([*pip, "install", "--quiet", str(tmp_path / "edge_agent")], check=True, cwd=tmp_path)
    program = str(tmp_path / "venv" / "bin" / "opsfield-agent")
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    state = ["--state-dir", str(tmp_path / "state")]
    enroll = [program, "enroll", "--url", platform.url, "--token", TOKEN, *state]
    done = subprocess.run(enroll, env=alone, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(platform.agents) == 1


def _python(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    source = {**(environment or os.environ), "PYTHONPATH": str(PROJECT / "src")}
    return subprocess.run(
        [sys.executable, *arguments], env=source, capture_output=True, text=True, timeout=30, check=False
    )
