"""Conditions in the database, and what is told of them."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from kit import clock, validation
from opsfield.telemetry.v1.conditions_pb2 import ConditionRaised
from services.telemetry.agents.known import KnownAgent
from services.telemetry.detection import signals
from services.telemetry.detection.detector import Standing, detect, withdraw
from services.telemetry.detection.rules import Change, CheckOutcome, Condition, Sample
from services.telemetry.edge_policies.effective import Policy, _policy
from services.telemetry.edge_policies.merge import DEFAULTS, merge
from services.telemetry.tests.fleet import NOW, Workspace, counted, known_agent

NOTHING: dict[str, Any] = {**dict.fromkeys(DEFAULTS), "collectors": [], "thresholds": [], "checks": []}
CHECK = {"name": "web", "type": "http", "target": "https://example.com"}


def policy(*checks: dict[str, Any], **threshold: Any) -> Policy:
    """The defaults, with checks and a threshold `own`."""
    own = {"name": "own", "metric": "app.queue", "operator": "above", "raise_at": 5.0, **threshold}
    return _policy(merge([{**NOTHING, "thresholds": [own], "checks": checks}]))


POLICY = policy(CHECK)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def disk(value: float, minutes: float = 0, instance: str = "/") -> Sample:
    return Sample("disk.used_percent", instance, value, at(minutes))


def failed(minutes: float = 0, status: str = "critical", message: str = "connection refused") -> CheckOutcome:
    return CheckOutcome("web", "", status, message, at(minutes))


async def take_in(
    workspace: Workspace,
    agent: KnownAgent,
    *seen: Sample | CheckOutcome,
    minutes: float = 0,
    by: Policy = POLICY,
) -> Standing:
    """As ingest does, which knows how the agent stands."""
    known = await workspace.known(agent.id)
    with clock.at(at(minutes)):
        async with workspace.work() as work:
            standing = await detect(work, known, by, *parted(seen))
            await work.execute(
                "UPDATE agents SET watched = $3, conditions = $4 WHERE workspace_id = $1 AND id = $2",
                workspace.id,
                agent.id,
                standing.watched,
                standing.conditions,
            )
    return standing


def parted(seen: Sequence[Sample | CheckOutcome]) -> tuple[list[Sample], list[CheckOutcome]]:
    return [each for each in seen if isinstance(each, Sample)], [
        each for each in seen if isinstance(each, CheckOutcome)
    ]


async def test_a_threshold_is_told_once_when_it_is_raised_and_once_when_it_is_over(acme: Workspace) -> None:
    agent = await acme.agent()
    assert await take_in(acme, agent, disk(50)) == Standing(0, 0)
    assert await take_in(acme, agent, disk(93.2, 1), minutes=1) == Standing(1, 1)
    for minutes in range(2, 5):
        assert await take_in(acme, agent, disk(95, minutes), minutes=minutes) == Standing(1, 1)
    assert await take_in(acme, agent, disk(85, 5), minutes=5.5) == Standing(0, 0)
    raised, cleared = await acme.told()
    assert (raised.topic, cleared.topic) == ("condition-raised", "condition-cleared")
    fingerprint = f"{agent.id}/threshold/disk-space//"
    assert (raised.key, cleared.key) == (fingerprint, fingerprint)
    assert raised.data == {
        "source": "edge-agent",
        "rule": "disk-space",
        "fingerprint": fingerprint,
        "severity": "high",
        "title": "disk.used_percent of / on web-01 is 93.2 (above 90)",
        "description": "disk.used_percent of / on web-01 is 93.2, above 90, since 2026-03-02 12:01:00 UTC. "
        "It is over when it is no longer above 85.",
        "assetId": None,
        "agentId": agent.id,
        "hostname": "web-01",
        "clientId": agent.client_id,
        "labels": [
            {"name": "metric", "value": "disk.used_percent"},
            {"name": "instance", "value": "/"},
            {"name": "hostname", "value": "web-01"},
            {"name": "threshold", "value": "disk-space"},
        ],
        "observedAt": "2026-03-02T12:01:00Z",
    }
    assert cleared.data == {"fingerprint": fingerprint, "observedAt": "2026-03-02T12:05:00Z"}
    assert await acme.count("conditions") == 0


async def test_a_duration_is_waited_for_over_batches(acme: Workspace) -> None:
    agent = await acme.agent()
    for minutes in range(5):
        standing = await take_in(acme, agent, Sample("memory.used_percent", "", 96, at(minutes)), minutes=minutes)
        assert standing == Standing(1, 0)
    assert await acme.told() == []
    last = Sample("memory.used_percent", "", 96, at(5))
    assert await take_in(acme, agent, last, minutes=5) == Standing(1, 1)
    [raised] = await acme.told()
    assert (raised.data["title"], raised.data["severity"]) == (
        "memory.used_percent on web-01 is 96 (above 95)",
        "warning",
    )


async def test_a_check_is_told_with_what_it_said(acme: Workspace) -> None:
    agent = await acme.agent()
    assert await take_in(acme, agent, failed()) == Standing(1, 0)
    assert await take_in(acme, agent, failed(1), minutes=1) == Standing(1, 1)
    assert await take_in(acme, agent, failed(2), minutes=2) == Standing(1, 1)
    assert await take_in(acme, agent, failed(3, "ok"), minutes=3) == Standing(0, 0)
    raised, cleared = await acme.told()
    assert raised.data["title"] == "Check web fails on web-01: connection refused"
    assert raised.data["description"] == (
        "The http check web of https://example.com on web-01 has failed 2 times in a row, since 2026-03-02 12:00:00 "
        "UTC.\nconnection refused"
    )
    assert (raised.data["severity"], raised.data["rule"]) == ("high", "web")
    assert {each["name"] for each in raised.data["labels"]} == {"check", "hostname", "target", "status"}
    assert cleared.key == raised.key == f"{agent.id}/check/web/"


async def test_a_check_that_becomes_worse_is_told_again(acme: Workspace) -> None:
    agent = await acme.agent()
    for minutes, status in enumerate(("unknown", "unknown", "critical", "critical")):
        await take_in(acme, agent, failed(minutes, status), minutes=minutes)
    told = await acme.told()
    assert [each.data["severity"] for each in told] == ["warning", "high"]
    assert told[0].data["title"] == "Check web cannot be made on web-01: connection refused"


async def test_a_policy_that_changes_clears_what_it_no_longer_says(acme: Workspace) -> None:
    agent = await acme.agent()
    await take_in(acme, agent, Sample("app.queue", "mail", 6, at(0)))
    assert await take_in(acme, agent, by=policy(metric="app.backlog"), minutes=1) == Standing(0, 0)
    assert [each.topic for each in await acme.told()] == ["condition-raised", "condition-cleared"]


async def test_what_is_harmless_does_not_touch_the_database(acme: Workspace) -> None:
    agent = await acme.agent()
    samples = [disk(50 + place % 40, -place / 60, f"/{place % 7}") for place in range(10_000)]
    outcomes = [failed(status="ok")] * 100
    async with acme.work() as work:
        with counted(work) as queries:
            assert await detect(work, agent, POLICY, samples, outcomes) == Standing(0, 0)
        assert queries == []


async def test_what_is_wrong_costs_one_read_and_at_most_two_writes(acme: Workspace) -> None:
    agent = await acme.agent()
    await take_in(acme, agent, *(disk(95, 0, f"/{place}") for place in range(50)))
    samples = [disk(95 if place % 2 else 20, 1, f"/{place}") for place in range(100)]
    known = await acme.known(agent.id)
    with clock.at(at(1)):
        async with acme.work() as work:
            with counted(work) as queries:
                assert await detect(work, known, POLICY, samples, []) == Standing(50, 50)
    assert [each.split()[0] for each in queries] == ["SELECT", "DELETE", "INSERT"]
    assert len(await acme.told("raised")) == 75
    assert len(await acme.told("cleared")) == 25


async def test_a_batch_of_ten_thousand_is_quickly_looked_at(acme: Workspace) -> None:
    """Not a benchmark: that it is a matter of milliseconds, not of seconds."""
    agent = await acme.agent()
    samples = [disk(95 if place % 7 == 0 else 50, -place / 60, f"/{place % 70}") for place in range(10_000)]
    with clock.at(NOW):
        async with acme.work() as work:
            started = time.perf_counter()
            await detect(work, agent, POLICY, samples, [])
            assert time.perf_counter() - started < 1


async def test_an_agent_that_is_watched_no_longer_has_no_conditions(acme: Workspace) -> None:
    agent = await acme.agent()
    await take_in(acme, agent, disk(95), failed())
    known = await acme.known(agent.id)
    assert (known.watched, known.conditions) == (2, 1)
    async with acme.work() as work:
        assert await withdraw(work, known) == Standing(0, 0)
    assert [each.topic for each in await acme.told()] == ["condition-raised", "condition-cleared"]
    assert await acme.count("conditions") == 0


async def test_the_conditions_of_another_workspace_are_never_seen(acme: Workspace, other: Workspace) -> None:
    agent = await acme.agent()
    await take_in(acme, agent, disk(95))
    # Even one who claims to be that agent.
    async with other.work() as work:
        assert await detect(work, replace(agent, watched=1), POLICY, [disk(50, 1)], []) == Standing(0, 0)
        assert await work.fetchval("SELECT count(*) FROM conditions") == 0
    assert await acme.count("conditions") == 1
    assert await other.told() == []


AGENT = {
    **dict.fromkeys(("site_id", "asset_status", "inventory_digest")),
    "id": "0197a0c2-5f5e-7b4c-9d8e-0123456789ab",
    "client_id": "0197a0c2-5f5e-7b4c-9d8e-0123456789ac",
    "state": "active",
    "connectivity": "online",
    "last_seen_at": NOW,
    **dict.fromkeys(("number", "watched", "conditions"), 0),
}
CONDITION = Condition("threshold", "own", "", "app.queue", True, "high", NOW, NOW, 6.0, 1, NOW)


@pytest.mark.parametrize("instance", ["", "/", "ä" * 500, "x" * 70])
@pytest.mark.parametrize("hostname", ["a", "h" * 253])
@pytest.mark.parametrize("name", ["own", "n" * 100])
def test_whatever_the_names_what_is_told_keeps_to_its_limits(instance: str, hostname: str, name: str) -> None:
    agent = known_agent({**AGENT, "hostname": hostname})
    check = {"name": name, "type": "http", "target": "t" * 500}
    by = policy(check, name=name, metric="m" * 200)
    condition = replace(CONDITION, name=name, instance=instance)
    change = Change(None, condition, NOW, CheckOutcome(name, instance, "critical", "long\n" * 2500, NOW))
    messages: list[ConditionRaised] = [
        signals.threshold_raised(agent, condition, by.by_metric["m" * 200][0]),
        signals.check_raised(agent, replace(condition, kind="check", value=None), by.checks[name], change),
    ]
    for message in messages:
        validation.check(message)
        assert "\n" not in message.title
    assert len({each.fingerprint for each in messages}) == 2


def test_long_fingerprints_differ_where_the_series_do() -> None:
    series = [("threshold", "own", "x" * 200 + end) for end in "ab"]
    first, second = (signals.fingerprint("0197a0c2-5f5e-7b4c-9d8e-0123456789ab", each) for each in series)
    assert first != second
    assert first == signals.fingerprint("0197a0c2-5f5e-7b4c-9d8e-0123456789ab", series[0])
    assert max(map(len, (first, second))) <= 128


@pytest.mark.parametrize(
    ("value", "text"),
    [(93.2, "93.2"), (93.0, "93"), (93.239, "93.24"), (0.0, "0"), (0.00123, "0.0012"), (5.3e8, "530,000,000"),
     (-1.5e6, "-1,500,000"), (999999.5, "999999.5"), (1e300, "1e+300")],
)  # fmt: skip
def test_numbers_are_written_for_people(value: float, text: str) -> None:
    assert signals.written(value) == text
