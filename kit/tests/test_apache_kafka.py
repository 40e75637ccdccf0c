"""Apache Kafka as it behaves on bad days: killed, out of space, with more partitions. What was committed reaches each
consumer once, in order."""

from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic  # type: ignore[attr-defined]

from devstack.apache_kafka import ApacheKafka, is_available
from kit.consumer import Consumer, Subscription
from kit.events import ReceivedEvent
from kit.tests.kafka_records import TOPIC, at_least, names_by_key, read, relay
from kit.tests.sample_service import SERVICE, Sample, eventually, insert_effect, running
from kit.unit_of_work import UnitOfWork

pytestmark = pytest.mark.skipif(not is_available(), reason="Java or Maven is not there")

KEYS = [f"k-{number}" for number in range(5)]
# How long a broker may take to be back on a machine that is busy with others.
PATIENCE = 120.0


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[ApacheKafka]:
    kafka = ApacheKafka(tmp_path / "kafka", tmp_path / "log")
    try:
        await kafka.start()
        yield kafka
    finally:
        await kafka.child.kill()


def consumer(sample: Sample, kafka: ApacheKafka) -> Consumer:
    """Its effects are named by key and event, and there are as many as there were deliveries that had one."""

    async def handle(received: ReceivedEvent, work: UnitOfWork) -> None:
        await insert_effect(work, f"{received.key} {received.data['sample']['name']}")

    return Consumer(
        Subscription("tests", {TOPIC: handle}, 1),
        service=SERVICE,
        database=sample.database,
        bootstrap_servers=kafka.bootstrap,
        session_timeout=4,
        wait_milliseconds=500,
        on_commit=lambda: None,
    )


async def emit(sample: Sample, *names: str, padding: int = 0) -> None:
    for name in names:
        for key in KEYS:
            await sample.emit(key, name, padding=padding)


async def effects(sample: Sample) -> dict[str, list[str]]:
    """The names of each key's effects in the order in which they came about."""
    found: dict[str, list[str]] = {}
    # Where they lie: ids of the same millisecond are in no order.
    for row in await sample.admin.fetch("SELECT name FROM effects ORDER BY ctid"):
        key, name = row["name"].split()
        found.setdefault(key, []).append(name)
    return found


async def all_took_effect(sample: Sample, *names: str) -> None:
    count = len(names) * len(KEYS)

    async def enough() -> bool:
        return await sample.count("effects") >= count

    await eventually(enough, seconds=PATIENCE)
    assert await effects(sample) == {key: list(names) for key in KEYS}


async def test_killed_again_and_again_it_loses_and_doubles_nothing(sample: Sample, kafka: ApacheKafka) -> None:
    names = [f"n{number}" for number in range(9)]
    async with running(relay(sample, kafka.bootstrap).run(), consumer(sample, kafka).run()):
        for turn in range(3):
            await emit(sample, *names[3 * turn : 3 * turn + 2])
            await kafka.child.kill()
            await emit(sample, names[3 * turn + 2])
            await kafka.start()
        await all_took_effect(sample, *names)
    records = await read(kafka.bootstrap, at_least(len(names) * len(KEYS)), seconds=PATIENCE)
    assert names_by_key(records) == dict.fromkeys(KEYS, names)


async def test_out_of_space_it_stops_and_what_was_committed_waits(sample: Sample, kafka: ApacheKafka) -> None:
    async with running(relay(sample, kafka.bootstrap).run(), consumer(sample, kafka).run()):
        await emit(sample, "first")
        await all_took_effect(sample, "first")
        # No file may grow further: what a full disk comes to, for a process that need not be root's.
        psutil.Process(kafka.child.pid).rlimit(psutil.RLIMIT_FSIZE, (2 << 20, 2 << 20))
        names = [f"n{number}" for number in range(6)]
        await emit(sample, *names, padding=300_000)
        await kafka.child.wait()
        assert not await sample.is_published(len(KEYS) * (len(names) + 1))
        await kafka.start()
        await all_took_effect(sample, "first", *names)
    assert await sample.count("outbox", "state <> 'published'") == 0


async def test_partitions_are_added_while_events_flow(sample: Sample, kafka: ApacheKafka) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(PATIENCE)
    names = [f"n{number}" for number in range(8)]
    async with running(relay(sample, kafka.bootstrap).run(), consumer(sample, kafka).run()):
        await emit(sample, *names[:4])
        # Before, so that none of a key's events are in two partitions at a time: docs/operations.md says the same.
        await all_took_effect(sample, *names[:4])
        admin.create_partitions([NewPartitions(TOPIC, 6)])[TOPIC].result(PATIENCE)
        await emit(sample, *names[4:])
        await all_took_effect(sample, *names)
