"""What AgentField's control plane offers, and the calls of it that are refused, bounded or cut off."""

from typing import Any

import pytest

from kit.database import Database
from kit.errors import Unavailable
from services.agent_runtime.engines.agentfield import statuses
from services.agent_runtime.engines.agentfield.catalogue import Catalogue
from services.agent_runtime.engines.agentfield.client import Busy, NotSent, Refused, TooLong, Unreachable
from services.agent_runtime.engines.agentfield.client import ControlPlane as Client
from services.agent_runtime.engines.agentfield.engine import AgentFieldEngine
from services.agent_runtime.tests.agentfield import Run, is_not, is_so
from services.agent_runtime.tests.control_plane import ControlPlane, capability
from services.agent_runtime.tests.workspace import Json
from tests.callers import eventually


def catalogue(*capabilities: Json) -> Catalogue:
    found = Catalogue({"triage"}, timeout_seconds=60)
    found.take(capabilities, 0)
    return found


def names(found: Catalogue) -> dict[str, list[str]]:
    return {agent.name: [each.name for each in agent.reasoners] for agent in found.agents}


def test_an_agents_reasoners_and_skills_are_offered() -> None:
    found = catalogue(capability("remote", "work", "both", skills=("tool", "both")))
    assert names(found) == {"remote": ["work", "both", "tool"]}
    work = found.find("remote", "work")
    assert work is not None
    assert (work.full_name, work.description, work.timeout_seconds) == ("remote.work", "Does work.", 60)
    assert found.find("remote", "nothing") is found.find("nobody", "work") is None
    [agent] = found.agents
    assert (agent.engine, agent.version, agent.reachable) == ("agentfield", "1.2.3", True)


def test_names_that_cannot_be_ours_are_left_aside() -> None:
    found = catalogue(
        capability("triage", "classify"),
        capability("a.b", "work"),
        capability("", "work"),
        capability("a/b", "work"),
        capability("fine", "a.b", "x" * 101, "good"),
        {"agent_id": 7},
        {},
    )
    assert names(found) == {"fine": ["good"]}
    assert not found.has("triage")


def test_what_is_told_strangely_does_no_harm() -> None:
    strange: list[Any] = [None, 7, "x", {}, {"id": None}, {"id": "good", "input_schema": 7, "description": ["?"]}]
    found = catalogue(capability("remote", reasoners=strange), capability("other", reasoners="none", version=None))
    assert names(found) == {"remote": ["good"], "other": []}
    good = found.find("remote", "good")
    assert good is not None
    assert (good.input_schema, good.output_schema, good.description) == ({}, {}, "")


def test_a_schema_that_is_too_large_to_hand_on_says_nothing() -> None:
    large = {"id": "work", "input_schema": {"enum": ["x" * 70_000]}, "output_schema": {"type": "object"}}
    found = catalogue(capability("remote", reasoners=[large])).find("remote", "work")
    assert found is not None
    assert (found.input_schema, found.output_schema) == ({}, {"type": "object"})


def test_what_is_too_deep_to_hand_on_takes_nothing_else_away() -> None:
    def nested(depth: int) -> Json:
        schema: Json = {}
        for _ in range(depth):
            schema = {"not": schema}
        return schema

    deep = {"id": "work", "input_schema": nested(30), "output_schema": nested(29)}
    found = catalogue(
        capability("remote", reasoners=[deep]),
        capability("deeper", reasoners=[{"id": "work", "input_schema": nested(900)}]),
        capability("large", reasoners=[{"id": "work", "description": "x" * 1_100_000}]),
        capability("other", "work"),
    )
    assert names(found) == {"remote": ["work"], "other": ["work"]}
    work = found.find("remote", "work")
    assert work is not None
    assert (work.input_schema, work.output_schema) == ({}, nested(29))
    assert len(found.told) == 2


def test_two_versions_of_an_agent_are_one() -> None:
    found = catalogue(
        capability("remote", "work", health_status="inactive"), capability("remote", "work", "more", version="2")
    )
    assert names(found) == {"remote": ["work", "more"]}
    assert [agent.reachable for agent in found.agents] == [True]


def test_one_that_is_no_more_is_kept_out_of_reach_for_a_minute() -> None:
    found = catalogue(capability("remote", "work"), capability("other", "work"))
    assert found.take([capability("other", "work")], 30)
    assert {agent.name: agent.reachable for agent in found.agents} == {"remote": False, "other": True}
    assert not found.take([capability("other", "work")], 59)
    assert found.find("remote", "work")
    found.take([capability("other", "work")], 61)
    assert names(found) == {"other": ["work"]}


def test_a_heartbeat_is_no_change() -> None:
    found = catalogue(capability("remote", "work"))
    assert not found.take([capability("remote", "work", last_heartbeat="later")], 1)
    assert found.take([capability("remote", "work", "more")], 2)


async def test_what_was_offered_last_holds_over_a_start_without_the_control_plane(
    run: Run, control_plane: ControlPlane
) -> None:
    async with run() as running:
        assert running.engine.version == "1.0.0"
        await eventually(is_so(lambda: running.engine.has("remote")))
        control_plane.offered.append(capability("later", "work"))
        await eventually(is_so(lambda: running.engine.has("later")))
    control_plane.stop()
    async with run(known=False) as running:
        engine = running.engine
        await eventually(is_so(lambda: engine.slots > 0))
        assert (engine.has("remote"), engine.has("later"), engine.has("nobody"), engine.workers) == (
            True,
            True,
            False,
            0,
        )
        assert await engine.find("acme", "later", "work")
        assert [agent.reachable for agent in await engine.agents("acme")] == [False, False]
        control_plane.start()
        await eventually(is_so(lambda: engine.workers == 1))
        assert [agent.reachable for agent in await engine.agents("acme")] == [True, True]
        control_plane.stop()
        await eventually(is_not(lambda: engine.workers))
    control_plane.start()


async def test_before_it_is_known_what_there_is_nobody_is_told_that_there_is_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.agent_runtime.engines.agentfield.engine._LOADED_WITHIN_SECONDS", 0.01)
    client = Client("http://127.0.0.1:1")
    engine = AgentFieldEngine(client, database, "", None, taken={"smoke"}, slots=8, timeout_seconds=60)
    assert (engine.slots, engine.workers, engine.has("whoever"), engine.has("smoke")) == (0, 0, True, False)
    with pytest.raises(Unavailable):
        await engine.find("acme", "whoever", "work")
    with pytest.raises(Unavailable):
        await engine.agents("acme")
    await client.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((302, {}), Unreachable),
        ((200, b"no JSON"), Unreachable),
        ((200, [1]), Unreachable),
        ((500, b""), Unreachable),
        ((429, {"retry_after": 7}), Busy),
        ((503, b""), Busy),
        ((400, {"error": "unknown_target", "message": "no such agent"}), Refused),
        ((200, b" " * 8_388_609), TooLong),
    ],
)
async def test_what_is_answered_is_bounded_and_never_followed(
    control_plane: ControlPlane, answer: Any, expected: type[Exception]
) -> None:
    control_plane.instead = lambda method, path: answer
    client = Client(control_plane.url)
    try:
        with pytest.raises(expected) as refused:
            await client.execution("exec_1")
    finally:
        await client.close()
    assert type(refused.value) is expected
    if isinstance(refused.value, Busy):
        assert refused.value.retry_after == (7 if answer[0] == 429 else 1)
    if isinstance(refused.value, Refused):
        assert "unknown_target, no such agent" in str(refused.value)


async def test_one_that_does_not_answer_or_is_not_there_is_told_apart(control_plane: ControlPlane) -> None:
    client = Client(control_plane.url, seconds=0.2)
    control_plane.hangs = True
    try:
        with pytest.raises(Unreachable) as slow:
            await client.version()
        assert not isinstance(slow.value, NotSent)
        control_plane.hangs = False
        control_plane.stop()
        with pytest.raises(NotSent):
            await client.version()
    finally:
        control_plane.start()
        await client.close()


@pytest.mark.parametrize("status", ["running", "queued", "pending", "waiting", "paused", "unknown", "new", 7, None])
def test_what_is_not_known_to_have_ended_has_not(status: Any) -> None:
    execution = {"status": status, "event": "execution.failed", "result": {}, "error": "no"}
    assert statuses.outcome(execution, "remote.work") is None


@pytest.mark.parametrize("status", ["succeeded", "Success", " completed ", "done", "ok"])
def test_other_words_for_success_are_known(status: str) -> None:
    assert statuses.word({"status": status}) == "succeeded"
