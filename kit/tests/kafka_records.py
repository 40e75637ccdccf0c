"""Reading what is on the broker, and writing to it."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from aiokafka import ConsumerRecord

from devstack.broker import new_broker
from devstack.settings import DevstackSettings
from kit.errors import Problem
from kit.kafka import start_consumer, start_producer, stop
from kit.relay import Relay, Retention
from kit.settings import read as read_settings
from kit.tests.sample_service import SERVICE, Sample

TOPIC = "sample.happened"
Record = ConsumerRecord
Enough = Callable[[Sequence[Any]], bool]


@asynccontextmanager
async def empty_broker(folder: Path) -> AsyncIterator[str]:
    """A Kafka broker that holds nothing yet, of the kind that KAFKA in the environment says.

    The folder is its own."""
    kafka = new_broker(read_settings(DevstackSettings).kafka, folder, folder / "log")
    try:
        await kafka.start()
        yield kafka.bootstrap
    finally:
        await kafka.child.stop()


def relay(sample: Sample, broker: str, *, trouble: Problem | None = None) -> Relay:
    """One of the sample service's relays. `trouble`: what comes of asking for how long to keep things."""

    async def retention() -> Retention:
        if trouble is not None:
            raise trouble
        return Retention(outbox=7, idempotency=7, inbox=30)

    return Relay(service=SERVICE, database_url=sample.relay_url, bootstrap_servers=broker, retention=retention)


async def read(broker: str, enough: Enough, *, topic: str = TOPIC, seconds: float = 40) -> list[Any]:
    """All records of a topic from its beginning, as soon as there are enough; fails when there never are."""
    consumer = await start_consumer(broker, (topic,), group=None, client_id="reader")
    records: list[Any] = []
    deadline = monotonic() + seconds
    try:
        while not enough(records):
            assert monotonic() < deadline, f"only {len(records)} records came in time"
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
    finally:
        await stop(consumer)
    return records


async def send(broker: str, *values: bytes | None, topic: str = TOPIC, key: bytes = b"k-1") -> None:
    """Write records as they are."""
    producer = await start_producer(broker, client_id="writer")
    try:
        for value in values:
            await producer.send_and_wait(topic, value=value, key=key)
    finally:
        await stop(producer)


def at_least(count: int) -> Enough:
    """Enough when that many different events have come, however often each."""
    return lambda records: len({event_id(each) for each in records}) >= count


def event_id(record: Any) -> str:
    return str(json.loads(record.value)["id"])


def name(record: Any) -> str:
    """The name of the sample that the event tells of."""
    return str(json.loads(record.value)["data"]["sample"]["name"])


def names_by_key(records: Sequence[Any]) -> dict[str, list[str]]:
    """The names of each key's events in the order of their first arrival."""
    seen: set[str] = set()
    names: dict[str, list[str]] = {}
    for record in sorted(records, key=lambda each: (each.partition, each.offset)):
        if event_id(record) not in seen:
            seen.add(event_id(record))
            names.setdefault(record.key.decode(), []).append(name(record))
    return names
