"""Each event takes effect once; one that cannot be handled is parked, and the others go on."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg
import pytest

from kit import ids
from kit.consumer import Consumer, Handler, Subscription
from kit.errors import Conflict
from kit.events import ReceivedEvent, compose
from kit.tests.kafka_records import TOPIC, read, send
from kit.tests.sample_service import SERVICE, Sample, a_call, eventually, happened, insert_effect, running
from kit.unit_of_work import UnitOfWork

DEAD = f"{TOPIC}.dlq"
Listen = Callable[[Handler], AbstractAsyncContextManager[None]]


@pytest.fixture
def listen(sample: Sample, broker: str) -> Listen:
    """Runs a consumer with this handler for the length of a block."""

    def start(handler: Handler) -> AbstractAsyncContextManager[None]:
        consumer = Consumer(
            Subscription("tests", {TOPIC: handler}),
            service=SERVICE,
            database=sample.database,
            bootstrap_servers=broker,
            session_timeout=2,
            on_commit=lambda: None,
        )
        return running(consumer.run())

    return start


def event(name: str, workspace: str = "acme") -> bytes:
    return compose(happened(name), key="k-1", service=SERVICE, call=a_call(workspace=workspace)).body.encode()


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
    rows = await sample.admin.fetch("SELECT name FROM effects ORDER BY id")
    return [row["name"].split()[0] for row in rows]


async def seen(sample: Sample, *names: str) -> None:
    """Wait until the last of these events has taken effect; then just these must have."""
    await eventually(lambda: has_effect(sample, names[-1]))
    assert await effects(sample) == list(names)


async def has_effect(sample: Sample, name: str) -> bool:
    return name in await effects(sample)


def count(number: int) -> Callable[[Any], bool]:
    return lambda records: len(records) >= number


async def test_an_event_delivered_three_times_takes_effect_once(sample: Sample, broker: str, listen: Listen) -> None:
    one = event("one")
    await send(broker, one, one, event("two"), one, event("last"))
    async with listen(take_effect):
        await seen(sample, "one", "two", "last")
    assert await sample.count("inbox", "consumer = 'tests' AND workspace_id = 'acme'") == 3


async def test_an_event_is_handled_in_its_own_workspace(sample: Sample, broker: str, listen: Listen) -> None:
    await send(broker, event("one", workspace="other"), event("last"))
    async with listen(take_effect):
        await seen(sample, "one", "last")
    assert await sample.count("effects", "workspace_id = 'other' AND name LIKE 'one %'") == 1


async def test_a_consumer_that_starts_again_goes_on_where_it_was(sample: Sample, broker: str, listen: Listen) -> None:
    handled: list[str] = []

    async def note(received: ReceivedEvent, work: UnitOfWork) -> None:
        handled.append(name_of(received))
        await take_effect(received, work)

    await send(broker, event("one"), event("two"))
    async with listen(note):
        await seen(sample, "one", "two")
    await send(broker, event("last"))
    async with listen(note):
        await seen(sample, "one", "two", "last")
    assert handled == ["one", "two", "last"]


async def test_an_event_that_always_fails_is_parked_and_the_next_is_handled(
    sample: Sample, broker: str, listen: Listen
) -> None:
    tries: list[str] = []

    async def fail(received: ReceivedEvent, work: UnitOfWork) -> None:
        await take_effect(received, work)
        if name_of(received) == "bad":
            tries.append("bad")
            raise RuntimeError("no way")

    bad = event("bad")
    await send(broker, event("one"), bad, event("last"), key=b"k-7")
    async with listen(fail):
        await seen(sample, "one", "last")
        (parked,) = await read(broker, count(1), topic=DEAD)
    assert (parked.value, parked.key) == (bad, b"k-7")
    headers = dict(parked.headers)
    assert headers["dlq-reason"] == b"RuntimeError: no way"
    assert (headers["dlq-consumer"], headers["dlq-topic"]) == (b"tests", TOPIC.encode())
    assert headers["dlq-partition"].isdigit()
    assert headers["dlq-offset"] == b"1"
    assert len(tries) == 3
    assert await sample.count("inbox") == 2


async def test_a_parked_event_says_what_the_problem_was(broker: str, listen: Listen) -> None:
    async def refuse(_received: ReceivedEvent, _work: UnitOfWork) -> None:
        raise Conflict("The ticket is closed.")

    await send(broker, event("one"))
    async with listen(refuse):
        (parked,) = await read(broker, count(1), topic=DEAD)
    assert dict(parked.headers)["dlq-reason"] == b"The ticket is closed."


@pytest.mark.parametrize("value", [b"not json", b"{}", None], ids=["no-json", "no-event", "no-value"])
async def test_what_is_no_event_is_parked_as_it_came(
    sample: Sample, broker: str, listen: Listen, value: bytes | None
) -> None:
    await send(broker, value, event("last"))
    async with listen(take_effect):
        await seen(sample, "last")
        (parked,) = await read(broker, count(1), topic=DEAD)
    assert parked.value == value
    assert b"CloudEvent" in dict(parked.headers)["dlq-reason"]


async def test_an_event_of_an_impossible_workspace_is_parked(sample: Sample, broker: str, listen: Listen) -> None:
    forged = json.loads(event("bad")) | {"workspaceid": "'; DROP TABLE effects; --"}
    await send(broker, json.dumps(forged).encode(), event("last"))
    async with listen(take_effect):
        await seen(sample, "last")
        assert len(await read(broker, count(1), topic=DEAD)) == 1


async def test_while_the_database_is_away_an_event_waits(sample: Sample, broker: str, listen: Listen) -> None:
    """Longer than an event that cannot be handled would be given."""
    tries: list[str] = []

    async def cut_off_five_times(received: ReceivedEvent, work: UnitOfWork) -> None:
        await take_effect(received, work)
        tries.append(name_of(received))
        if len(tries) <= 5:
            await work.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")

    await send(broker, event("patient"), b"this is parked", event("last"))
    async with listen(cut_off_five_times):
        await seen(sample, "patient", "last")
        (parked,) = await read(broker, count(1), topic=DEAD)
    assert tries == ["patient"] * 6 + ["last"]
    assert parked.value == b"this is parked"


async def test_effect_and_inbox_are_there_together_or_not_at_all(sample: Sample, broker: str, listen: Listen) -> None:
    at_failure: list[int] = []

    async def fail_once(received: ReceivedEvent, work: UnitOfWork) -> None:
        await take_effect(received, work)
        if not at_failure:
            at_failure.append(1)
            raise RuntimeError("once")
        # A unit of work that had failed has left nothing behind.
        at_failure.append(await sample.count("effects") + await sample.count("inbox"))

    await send(broker, event("one"))
    async with listen(fail_once):
        await seen(sample, "one")
    assert at_failure == [1, 0]
    assert await sample.count("inbox") == 1


async def test_an_error_that_a_handler_swallows_does_not_lose_the_event(
    sample: Sample, broker: str, listen: Listen
) -> None:
    async def careless(received: ReceivedEvent, work: UnitOfWork) -> None:
        await take_effect(received, work)
        if name_of(received) == "bad":
            try:
                await work.fetchval("SELECT 1 / 0")
            except asyncpg.PostgresError:
                return

    await send(broker, event("bad"), event("last"))
    async with listen(careless):
        await seen(sample, "last")
        assert len(await read(broker, count(1), topic=DEAD)) == 1


async def test_what_a_handler_emits_goes_out_with_its_effect(sample: Sample, broker: str, listen: Listen) -> None:
    async def answer(received: ReceivedEvent, work: UnitOfWork) -> None:
        await insert_effect(work, name_of(received))
        work.emit(happened("answer"), key="k-2")

    await send(broker, event("one"))
    async with listen(answer):
        await eventually(lambda: has_effect(sample, "one"))
    row = await sample.admin.fetchrow("SELECT key, correlation_id, workspace_id FROM outbox")
    assert row is not None
    assert tuple(row) == ("k-2", "c-1", "acme")
