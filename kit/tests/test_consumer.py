"""Each event takes effect once; one that cannot be handled is parked, and the others go on."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from kit import ids
from kit.consumer import Consumer, Handler, Subscription
from kit.database import Database
from kit.errors import Conflict
from kit.events import ReceivedEvent, compose
from kit.tests.kafka_records import TOPIC, empty_broker, read, send
from kit.tests.sample_service import SERVICE, Sample, a_call, eventually, happened, insert_effect, running
from kit.unit_of_work import UnitOfWork

DEAD = f"{TOPIC}.dlq"
# Longer than the broker waits for a group's members to gather (3 s).
SESSION_TIMEOUT = 4


class Desk:
    """A consumer that runs all along, and hands the events of a key to whoever has asked for them."""

    def __init__(self, broker: str) -> None:
        self.broker = broker
        self.handlers: dict[str, Handler] = {}

    async def handle(self, received: ReceivedEvent, work: UnitOfWork) -> None:
        await self.handlers[received.key](received, work)

    async def send(self, key: str, *values: bytes | None) -> None:
        await send(self.broker, *values, key=key.encode())

    async def parked(self, key: str, count: int = 1) -> list[Any]:
        """The dead letters of a key, once there are so many."""
        records = await read(self.broker, lambda records: len(of_key(records, key)) >= count, topic=DEAD)
        return of_key(records, key)


@pytest.fixture(scope="module", params=[1, 20], ids=["one-by-one", "together"])
async def desk(
    request: pytest.FixtureRequest, app_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    database = await Database.connect(app_url, size=2)
    async with empty_broker(tmp_path_factory.mktemp("consumer")) as broker:
        desk = Desk(broker)
        async with running(consumer(desk.handle, database, broker, together=request.param).run()):
            yield desk
    await database.close()


def consumer(handler: Handler, database: Database, broker: str, *, together: int = 1) -> Consumer:
    return Consumer(
        Subscription("tests", {TOPIC: handler}, together),
        service=SERVICE,
        database=database,
        bootstrap_servers=broker,
        session_timeout=SESSION_TIMEOUT,
        wait_milliseconds=50,
        on_commit=lambda: None,
    )


def of_key(records: Sequence[Any], key: str) -> list[Any]:
    return [each for each in records if each.key == key.encode()]


def event(key: str, name: str, workspace: str = "acme") -> bytes:
    return compose(happened(name), key=key, service=SERVICE, call=a_call(workspace=workspace)).body.encode()


def name_of(received: ReceivedEvent) -> str:
    return str(received.data["sample"]["name"])


async def take_effect(received: ReceivedEvent, work: UnitOfWork) -> None:
    """An effect with the event's id, so that a second one shows as a second row."""
    await work.execute(
        "INSERT INTO effects (workspace_id, id, name) VALUES ($1, $2, $3)",
        work.call.workspace_id,
        ids.new_id(),
        f"{name_of(received)} {ids.new_id()}",
    )


async def effects(sample: Sample) -> list[str]:
    """The names of the effects in the order they came about."""
    # Where they lie: ids of the same millisecond are in no order.
    rows = await sample.admin.fetch("SELECT name FROM effects ORDER BY ctid")
    return [row["name"].split()[0] for row in rows]


async def seen(sample: Sample, *names: str) -> None:
    """Wait until the last of these events has taken effect; then just these must have."""
    # The first one waits for Apache Kafka to make what it keeps offsets in.
    await eventually(lambda: has_effect(sample, names[-1]), seconds=60)
    assert await effects(sample) == list(names)


async def has_effect(sample: Sample, name: str) -> bool:
    return name in await effects(sample)


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """Each test has a key of its own."""
    return str(request.node.name)


async def test_an_event_delivered_three_times_takes_effect_once(sample: Sample, desk: Desk, key: str) -> None:
    one = event(key, "one")
    desk.handlers[key] = take_effect
    await desk.send(key, one, one, event(key, "two"), one, event(key, "last"))
    await seen(sample, "one", "two", "last")
    assert await sample.count("inbox", "consumer = 'tests' AND workspace_id = 'acme'") == 3


async def test_a_topic_that_is_read_again_is_passed_by_quickly(
    sample: Sample, desk: Desk, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is new among what is known still takes effect, in its order; what is known is not looked at one by one."""
    many = [event(key, f"no-{number}") for number in range(150)]
    desk.handlers[key] = take_effect
    await desk.send(key, *many)
    await seen(sample, *(f"no-{number}" for number in range(150)))
    asked: list[str] = []
    claim = UnitOfWork.claim_events

    async def watched(work: UnitOfWork, consumer: str, received: Sequence[ReceivedEvent]) -> set[str]:
        asked.extend(each.id for each in received)
        return await claim(work, consumer, received)

    monkeypatch.setattr(UnitOfWork, "claim_events", watched)
    await desk.send(key, *many, event(key, "between"), *many, b"no event", *many, event(key, "last"))
    await seen(sample, *(f"no-{number}" for number in range(150)), "between", "last")
    assert len(asked) < 300
    assert len(await desk.parked(key)) == 1


async def test_an_event_is_handled_in_its_own_workspace(sample: Sample, desk: Desk, key: str) -> None:
    desk.handlers[key] = take_effect
    await desk.send(key, event(key, "one", workspace="other"), event(key, "last"))
    await seen(sample, "one", "last")
    assert await sample.count("effects", "workspace_id = 'other' AND name LIKE 'one %'") == 1


async def test_a_consumer_that_starts_again_goes_on_where_it_was(sample: Sample, broker: str, key: str) -> None:
    handled: list[str] = []

    async def note(received: ReceivedEvent, work: UnitOfWork) -> None:
        handled.append(name_of(received))
        await take_effect(received, work)

    await send(broker, event(key, "one"), b"parked once", event(key, "two"))
    async with running(consumer(note, sample.database, broker).run()):
        await seen(sample, "one", "two")
    await send(broker, event(key, "last"), b"parked last")
    async with running(consumer(note, sample.database, broker).run()):
        await seen(sample, "one", "two", "last")
        parked = await read(broker, lambda records: b"parked last" in [each.value for each in records], topic=DEAD)
    assert handled == ["one", "two", "last"]
    assert [each.value for each in parked] == [b"parked once", b"parked last"]


async def test_an_event_that_always_fails_is_parked_and_the_next_is_handled(
    sample: Sample, desk: Desk, key: str
) -> None:
    tries: list[str] = []

    async def fail(received: ReceivedEvent, work: UnitOfWork) -> None:
        await take_effect(received, work)
        if name_of(received) == "bad":
            tries.append("bad")
            raise RuntimeError("no way")

    bad = event(key, "bad")
    desk.handlers[key] = fail
    await desk.send(key, event(key, "one"), bad, event(key, "last"))
    await seen(sample, "one", "last")
    (parked,) = await desk.parked(key)
    assert (parked.value, parked.key) == (bad, key.encode())
    headers = dict(parked.headers)
    assert headers["dlq-reason"] == b"RuntimeError: no way"
    assert (headers["dlq-consumer"], headers["dlq-topic"]) == (b"tests", TOPIC.encode())
    sent = await read(desk.broker, lambda records: bad in [each.value for each in records])
    (original,) = [each for each in sent if each.value == bad]
    assert headers["dlq-partition"] == str(original.partition).encode()
    assert headers["dlq-offset"] == str(original.offset).encode()
    assert len(tries) == 3
    assert await sample.count("inbox") == 2


async def test_a_parked_event_says_what_the_problem_was(desk: Desk, key: str) -> None:
    async def refuse(_received: ReceivedEvent, _work: UnitOfWork) -> None:
        raise Conflict("The ticket is closed.")

    desk.handlers[key] = refuse
    await desk.send(key, event(key, "one"))
    (parked,) = await desk.parked(key)
    assert dict(parked.headers)["dlq-reason"] == b"The ticket is closed."


@pytest.mark.parametrize("value", [b"not json", b"{}", None], ids=["no-json", "no-event", "no-value"])
async def test_what_is_no_event_is_parked_as_it_came(sample: Sample, desk: Desk, key: str, value: bytes | None) -> None:
    desk.handlers[key] = take_effect
    await desk.send(key, value, event(key, "last"))
    await seen(sample, "last")
    (parked,) = await desk.parked(key)
    assert parked.value == value
    assert b"CloudEvent" in dict(parked.headers)["dlq-reason"]


async def test_an_event_of_an_impossible_workspace_is_parked(sample: Sample, desk: Desk, key: str) -> None:
    forged = json.loads(event(key, "bad")) | {"workspaceid": "'; DROP TABLE effects; --"}
    desk.handlers[key] = take_effect
    await desk.send(key, json.dumps(forged).encode(), event(key, "last"))
    await seen(sample, "last")
    assert len(await desk.parked(key)) == 1


async def test_while_the_database_is_away_an_event_waits(sample: Sample, desk: Desk, key: str) -> None:
    """Longer than an event that cannot be handled would be given."""
    tries: list[str] = []

    async def cut_off_five_times(received: ReceivedEvent, work: UnitOfWork) -> None:
        await take_effect(received, work)
        tries.append(name_of(received))
        if len(tries) <= 5:
            await work.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")

    desk.handlers[key] = cut_off_five_times
    await desk.send(key, event(key, "patient"), b"this is parked", event(key, "last"))
    await seen(sample, "patient", "last")
    (parked,) = await desk.parked(key)
    assert tries == ["patient"] * 6 + ["last"]
    assert parked.value == b"this is parked"


async def test_effect_and_inbox_are_there_together_or_not_at_all(sample: Sample, desk: Desk, key: str) -> None:
    left_behind: list[int] = []
    failed: list[str] = []

    async def fail_once(received: ReceivedEvent, work: UnitOfWork) -> None:
        left_behind.append(await work.fetchval("SELECT count(*) FROM effects"))
        await take_effect(received, work)
        if not failed:
            failed.append(received.id)
            raise RuntimeError("once")

    desk.handlers[key] = fail_once
    await desk.send(key, event(key, "one"))
    await seen(sample, "one")
    assert left_behind == [0, 0]
    assert await sample.count("inbox") == 1


async def test_an_error_that_a_handler_swallows_does_not_lose_the_event(sample: Sample, desk: Desk, key: str) -> None:
    async def careless(received: ReceivedEvent, work: UnitOfWork) -> None:
        await take_effect(received, work)
        if name_of(received) == "bad":
            try:
                await work.fetchval("SELECT 1 / 0")
            except asyncpg.PostgresError:
                return

    desk.handlers[key] = careless
    await desk.send(key, event(key, "bad"), event(key, "last"))
    await seen(sample, "last")
    assert len(await desk.parked(key)) == 1


async def test_what_a_handler_emits_goes_out_with_its_effect(sample: Sample, desk: Desk, key: str) -> None:
    async def answer(received: ReceivedEvent, work: UnitOfWork) -> None:
        await insert_effect(work, name_of(received))
        work.emit(happened("answer"), key="k-2")

    desk.handlers[key] = answer
    await desk.send(key, event(key, "one"))
    await eventually(lambda: has_effect(sample, "one"))
    row = await sample.admin.fetchrow("SELECT key, correlation_id, workspace_id FROM outbox")
    assert row is not None
    assert tuple(row) == ("k-2", "c-1", "acme")


async def test_of_events_that_come_together_each_takes_effect_once(sample: Sample, desk: Desk, key: str) -> None:
    """Two workspaces' events in turns, one that is no event, and one that always fails."""

    async def all_but_one(received: ReceivedEvent, work: UnitOfWork) -> None:
        await take_effect(received, work)
        if name_of(received) == "n4":
            raise ValueError("not this one")

    desk.handlers[key] = all_but_one
    events = [event(key, f"n{number}", workspace=("acme", "other")[number % 2]) for number in range(9)]
    await desk.send(key, *events[:6], b"nonsense", *events[6:])
    await eventually(lambda: has_effect(sample, "n8"))
    await eventually(lambda: has_effect(sample, "n7"))
    found = await sample.admin.fetch("SELECT workspace_id, name FROM effects ORDER BY ctid")
    names = {"acme": ["n0", "n2", "n6", "n8"], "other": ["n1", "n3", "n5", "n7"]}
    for workspace, expected in names.items():
        assert [row["name"].split()[0] for row in found if row["workspace_id"] == workspace] == expected
    assert {each.value for each in await desk.parked(key, 2)} == {b"nonsense", events[4]}


async def test_each_of_those_that_come_together_has_its_own_correlation(sample: Sample, desk: Desk, key: str) -> None:
    calls = []

    async def note(received: ReceivedEvent, work: UnitOfWork) -> None:
        calls.append((work.call.correlation_id, received.correlation_id, work.call.method))
        await take_effect(received, work)
        work.emit(happened(f"after-{name_of(received)}"), key=key)

    desk.handlers[key] = note
    for number in range(3):
        call = replace(a_call(workspace="acme"), correlation_id=f"c-{number}")
        await desk.send(key, compose(happened(f"m{number}"), key=key, service=SERVICE, call=call).body.encode())
    await eventually(lambda: has_effect(sample, "m2"))
    assert calls == [(f"c-{number}", f"c-{number}", f"tests/{TOPIC}") for number in range(3)]
    rows = await sample.admin.fetch("SELECT correlation_id FROM outbox WHERE key = $1 ORDER BY sequence", key)
    assert [row["correlation_id"] for row in rows] == ["c-0", "c-1", "c-2"]
