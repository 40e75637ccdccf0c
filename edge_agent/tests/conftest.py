"""A platform, and an agent that may be enrolled with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.tests.agent import FAST, Agent
from edge_agent.tests.platform_server import TOKEN, Platform


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A platform that runs, and had no request that it could not make sense of."""
    with Platform() as running:
        running.policy |= {"sendSeconds": 0.1, "metricsSeconds": 0.1, "version": 7}
        yield running
    assert running.faults == []


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Agent]:
    """An agent that is not enrolled; its intervals can be short."""
    agent = Agent(tmp_path / "state", set=FAST)
    yield agent
    agent.end_all()


@pytest.fixture
def agent(fresh: Agent, platform: Platform) -> Agent:
    """An enrolled agent that already has the policy with short intervals."""
    done = fresh.enroll(platform.url, TOKEN)
    assert done.returncode == 0, done.stderr
    (fresh.state_dir / "policy.json").write_text('{"etag": "\\"0\\"", "policy": {"version": 0, "sendSeconds": 0.1}}')
    return fresh
