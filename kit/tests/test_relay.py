"""Committed events come to Kafka, each at least once and in order per key, whichever relay dies when."""

import asyncio
import json
from datetime import datetime

import pytest

from kit.tests.kafka_records import TOPIC, at_least, event_id, names_by_key, read, relay
from kit.tests.sample_service import Sample, a_call, effect, end, eventually, running

KEYS = [f"k-{number}" for number in range(20)]
NAMES = [f"{number:02}" for number in range(25)]
END_THE_RELAY_AT_WORK = """
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND usename = 'sample_relay'
"""


async def test_a_record_is_a_cloud_event_in_structured_mode(sample: Sample, broker: str) -> None:
    await sample.mutate(a_call(), effect("lamp"))
    async with running(relay(sample, broker).run()):
        (record,) = await read(broker, at_least(1))
    assert record.topic == TOPIC
    assert record.key == b"k-1"
    assert dict(record.headers)["content-type"] == b"application/cloudevents+json; charset=UTF-8"
    event = json.loads(record.value)
    required = {"specversion", "id", "source", "type"}
    assert all(isinstance(event[each], str) and event[each] for each in required)
    assert (event["specversion"], event["type"], event["subject"]) == ("1.0", TOPIC, "k-1")
    assert datetime.fromisoformat(event["time"]).tzinfo is not None
    # Names of attributes hold lower-case letters and digits alone.
    assert all(each.isascii() and each.isalnum() and each.islower() for each in event)


async def test_what_is_published_is_marked_so_with_its_time(sample: Sample, broker: str) -> None:
    await sample.emit("k-1", "one", "two")

    async def published() -> bool:
        return await sample.count("outbox", "state = 'published' AND published_at IS NOT NULL") == 2

    async with running(relay(sample, broker).run()):
        await eventually(published)
    assert await sample.count("outbox", "last_error IS NOT NULL OR attempts > 0") == 0


async def test_a_commit_wakes_the_relay(sample: Sample, broker: str) -> None:
    working = relay(sample, broker)
    async with running(working.run()):
        await sample.emit("k-1", "one")
        await read(broker, at_least(1))
        await sample.emit("k-1", "two")
        working.wake()
        assert names_by_key(await read(broker, at_least(2))) == {"k-1": ["one", "two"]}


async def test_one_of_three_relays_works_at_a_time(sample: Sample, broker: str) -> None:
    for key in KEYS:
        await sample.emit(key, *NAMES[:5])
    async with running(*(relay(sample, broker).run() for _ in range(3))):
        records = await read(broker, at_least(100))
    assert len(records) == 100
    assert names_by_key(records) == dict.fromkeys(KEYS, NAMES[:5])


async def test_order_per_key_is_kept_while_relays_are_killed(sample: Sample, broker: str) -> None:
    """At whatever point of a relay's work: its connection is cut, or the relay ends and another begins."""
    relays = [asyncio.create_task(relay(sample, broker).run()) for _ in range(3)]

    async def kill(turn: int) -> None:
        if turn % 2:
            assert await sample.admin.fetch(END_THE_RELAY_AT_WORK), "no relay is at work"
            return
        for place, victim in enumerate(relays):
            await end(victim)
            relays[place] = asyncio.create_task(relay(sample, broker).run())

    try:
        for turn, name in enumerate(NAMES):
            for key in KEYS:
                await sample.emit(key, name)
            if turn % 3 == 2:
                await eventually(lambda: sample.is_published(turn * len(KEYS)))  # noqa: B023 - awaited at once
                await kill(turn)
        records = await read(broker, at_least(len(KEYS) * len(NAMES)))
    finally:
        await asyncio.gather(*map(end, relays))
    assert names_by_key(records) == dict.fromkeys(KEYS, NAMES)


@pytest.mark.parametrize("turns", range(4))
async def test_a_relay_that_is_woken_and_ended_at_once_ends(sample: Sample, broker: str, turns: int) -> None:
    working = relay(sample, broker)
    task = asyncio.create_task(working.run())
    await sample.emit("k-1", "one")
    await eventually(lambda: sample.is_published(1))
    await read(broker, at_least(1))
    working.wake()
    for _ in range(turns):
        await asyncio.sleep(0)
    await end(task)


async def test_an_event_whose_transaction_commits_late_is_not_lost(sample: Sample, broker: str) -> None:
    """Its number is lower than that of an event that was published already."""
    begun, release = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with sample.database.transaction("BEGIN; SET LOCAL opsfield.workspace_id = 'acme'") as connection:
            await connection.execute(
                """
                INSERT INTO outbox (workspace_id, id, topic, key, payload, correlation_id, created_at, next_attempt_at)
                VALUES ('acme', gen_random_uuid(), $1, 'slow', $2, 'c-1', now(), now())
                """,
                TOPIC,
                {"id": "slow"},
            )
            begun.set()
            await release.wait()

    async with running(relay(sample, broker).run()):
        task = asyncio.create_task(slow())
        await begun.wait()
        await sample.emit("fast", "one")
        await read(broker, at_least(1))
        release.set()
        await task
        assert "slow" in {event_id(each) for each in await read(broker, at_least(2))}


async def test_a_broker_that_has_lost_everything_gets_the_kept_events_again(
    sample: Sample, broker: str, another_broker: str
) -> None:
    await sample.emit("k-1", "one", "two")
    async with running(relay(sample, broker).run()):
        first = await read(broker, at_least(2))
    async with running(relay(sample, another_broker).run()):
        again = await read(another_broker, at_least(2))
    assert {event_id(each) for each in again} == {event_id(each) for each in first}
    assert names_by_key(again) == {"k-1": ["one", "two"]}


async def test_a_broker_that_still_has_them_gets_nothing_again(sample: Sample, broker: str) -> None:
    await sample.emit("k-1", "one")
    async with running(relay(sample, broker).run()):
        await eventually(lambda: sample.is_published(1))
    await sample.emit("k-2", "two")
    async with running(relay(sample, broker).run()):
        assert len(await read(broker, at_least(2))) == 2
