"""The service as it runs: asked over Kafka, killed, stopped and started again."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from devstack.stack import Stack
from kit.kafka import start_consumer, stop
from services.agent_runtime.settings import Settings
from services.agent_runtime.tests.workspace import FINISHED, STARTED, Workspace, is_gone, pid_in


async def _heard(stack: Stack, topic: str, execution_id: str) -> list[dict[str, Any]]:
    """What the broker has of an execution, once it has something."""
    consumer = await start_consumer(stack.kafka_bootstrap, (topic,), group=None, client_id="reader")
    found: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(20):
            while not found:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [json.loads(each.value) for each in records if each.key == execution_id.encode()]
    finally:
        await stop(consumer)
    return found


async def test_what_is_asked_over_kafka_is_run_and_told_over_kafka(stack: Stack, acme: Workspace) -> None:
    execution = await acme.ask("smoke.echo", {"whole": 7})
    (finished,) = await _heard(stack, FINISHED, execution)
    (started,) = await _heard(stack, STARTED, execution)
    assert finished["workspaceid"] == acme.id
    assert finished["source"] == "/opsfield/agent-runtime"
    assert finished["correlationid"] == started["correlationid"] == "c-1"
    assert finished["data"]["outcome"] == "succeeded"
    assert finished["data"]["output"] == {"echo": {"whole": 7}}
    assert started["data"]["tries"] == 1


async def test_an_execution_is_cancelled_over_kafka(acme: Workspace, tmp_path: Path) -> None:
    execution = await acme.ask("trial.spin", {"mark": str(tmp_path / "mark")})
    pid = await pid_in(tmp_path / "mark")
    await acme.cancel(execution)
    assert (await acme.finished(execution))["outcome"] == "cancelled"
    assert await is_gone(pid)


async def test_a_killed_service_takes_its_jobs_up_again(stack: Stack, acme: Workspace, tmp_path: Path) -> None:
    marks = [tmp_path / "first", tmp_path / "second"]
    executions = [await acme.ask("trial.sleep", {"seconds": 4, "mark": str(mark)}) for mark in marks]
    waiting = await acme.ask("smoke.echo")
    pids = [await pid_in(mark) for mark in marks]
    await stack.kill("agent-runtime")
    assert all([await is_gone(pid) for pid in pids])
    assert [(await acme.job(each))["state"] for each in executions] == ["running", "running"]
    await stack.start("agent-runtime")
    for execution, mark in zip(executions, marks, strict=True):
        told = await acme.finished(execution)
        assert (told["outcome"], told["attempt"], told["tries"]) == ("succeeded", 1, 2)
        assert len(mark.read_text().split()) == 2
        assert len(await acme.all_finished(execution)) == 1
    assert (await acme.finished(waiting))["outcome"] == "succeeded"


@pytest.mark.parametrize("point", ["before-consumer-commit", "before-commit"])
async def test_a_crash_at_any_point_runs_it_and_ends_it_once(stack: Stack, acme: Workspace, point: str) -> None:
    environment = dict(stack._extra["agent-runtime"])
    try:
        await stack.stop("agent-runtime")
        await stack.start("agent-runtime", {**environment, "CRASH_AT": f"{point}:2"})
        executions = [await acme.ask("trial.sleep") for _ in range(3)]
        await stack.wait("agent-runtime")
    finally:
        await stack.start("agent-runtime", environment)
    for execution in executions:
        assert (await acme.finished(execution))["outcome"] == "succeeded"
        assert len(await acme.all_finished(execution)) == 1


async def test_a_frozen_service_that_wakes_up_does_not_end_what_another_took(
    stack: Stack, acme: Workspace, tmp_path: Path
) -> None:
    """For longer than its lease nothing is heard of it: its own sweep is the first to find that out."""
    execution = await acme.ask("trial.sleep", {"seconds": 1, "mark": str(tmp_path / "mark")})
    await pid_in(tmp_path / "mark")
    os.kill(stack.pid("agent-runtime"), signal.SIGSTOP)
    await asyncio.sleep(4)
    os.kill(stack.pid("agent-runtime"), signal.SIGCONT)
    told = await acme.finished(execution)
    assert told["outcome"] == "succeeded"
    await asyncio.sleep(2.5)
    assert len(await acme.all_finished(execution)) == 1


async def test_a_stop_lets_runs_end(stack: Stack, acme: Workspace) -> None:
    execution = await acme.ask("trial.sleep", {"seconds": 1})
    await acme.until(execution, "running")
    assert await stack.stop("agent-runtime") == 0
    assert (await acme.finished(execution))["tries"] == 1
    await stack.start("agent-runtime")
    (finished,) = await _heard(stack, FINISHED, execution)
    assert finished["data"]["outcome"] == "succeeded"


async def test_an_event_that_is_none_is_parked(stack: Stack, acme: Workspace) -> None:
    execution = await acme.ask("trial.x", execution_id="no-uuid")
    topic = "internal.workflow.execution-requested.dlq"
    assert await _heard(stack, topic, execution)
    assert await acme.admin.fetchval("SELECT count(*) FROM jobs WHERE workspace_id = $1", acme.id) == 0
    assert (await acme.finished(await acme.ask("smoke.echo")))["outcome"] == "succeeded"


async def test_its_workers_hold_none_of_its_secrets(stack: Stack, acme: Workspace) -> None:
    told = await acme.finished(await acme.ask("trial.environment"))
    names = set(told["output"]["names"])
    assert "DATABASE_URL" in stack.environment("agent-runtime")
    assert names <= {"PYTHONPATH", "LANG", "LC_CTYPE", "MALLOC_ARENA_MAX"}


def test_agents_in_private_networks_are_not_reached_in_production(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless somebody says so."""
    for name, value in (stack.environment("agent-runtime") | {"TEST_REASONERS": ""}).items():
        monkeypatch.setenv(name, value)
    assert Settings().reaches_private_networks
    monkeypatch.setenv("ENVIRONMENT", "production")
    assert not Settings().reaches_private_networks
    monkeypatch.setenv("AGENTS_IN_PRIVATE_NETWORKS", "true")
    assert Settings().reaches_private_networks


def test_reasoners_for_tests_are_refused_in_production(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.environment("agent-runtime").items():
        monkeypatch.setenv(name, value)
    assert Settings().test_reasoners
    monkeypatch.setenv("ENVIRONMENT", "production")
    with pytest.raises(ValidationError, match="TEST_REASONERS"):
        Settings()
