"""What is measured of calls, events, pools and backlogs."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kit import metrics
from kit.backlog import OUTBOX, Backlog
from kit.consumer import Consumer, Subscription
from kit.database import Database
from kit.errors import Invalid
from kit.events import ReceivedEvent
from kit.tests.kafka_records import TOPIC, relay
from kit.tests.measured import measured, reader
from kit.tests.sample_service import SERVICE, Sample, eventually, running
from kit.unit_of_work import UnitOfWork

GROUP = "measured"
ON_TOPIC = {"messaging_destination_name": TOPIC}
OF_GROUP = {**ON_TOPIC, "messaging_consumer_group_name": GROUP}


@pytest.fixture(autouse=True)
def _measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    reader()
    for module in ("kit.backlog.EXPORT_SECONDS", "kit.metrics.EXPORT_SECONDS"):
        monkeypatch.setattr(module, 0.1)


@pytest.fixture
async def database(app_url: str) -> AsyncIterator[Database]:
    database = await Database.connect(app_url, size=2)
    yield database
    await database.close()


def test_what_ends_in_an_error_is_measured_as_well() -> None:
    before = measured("rpc.server.call.duration", rpc_method="a")

    def fail() -> None:
        with metrics.timed(metrics.RPC_ACTIVE, metrics.RPC_DURATION, {"rpc.method": "a"}):
            assert measured("rpc.server.active_requests", rpc_method="a") == 1
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert measured("rpc.server.call.duration", rpc_method="a") == max(before, 0) + 1
    assert measured("rpc.server.active_requests", rpc_method="a") == 0


def test_a_gauge_is_told_as_long_as_somebody_tells_it() -> None:
    with metrics.JOBS.told_by(lambda: [(3, {"state": "told"})]):
        assert measured("opsfield.jobs", state="told") == 3
    assert measured("opsfield.jobs", state="told") == -1


async def test_the_pool_tells_its_connections(database: Database) -> None:
    assert measured("db.client.connection.max") >= 2
    used = measured("db.client.connection.count", db_client_connection_state="used")
    async with database.transaction("BEGIN"):
        assert measured("db.client.connection.count", db_client_connection_state="used") == used + 1
    assert measured("db.client.connection.count", db_client_connection_state="used") == used


async def test_the_outbox_tells_what_waits_without_kafka_and_the_relay_what_it_sent(
    sample: Sample, broker: str
) -> None:
    backlog = Backlog(sample.relay_url, OUTBOX, ("pending", "failed"), metrics.OUTBOX_EVENTS, metrics.OUTBOX_AGE)
    await sample.emit("k-1", "one", "two")
    async with running(backlog.run()):
        await eventually(lambda: told("messaging.outbox.events", 2, state="pending"))
        assert measured("messaging.outbox.age", state="pending") > 0
        assert measured("messaging.outbox.events", state="failed") == 0
        before = max(measured("messaging.client.sent.messages", **ON_TOPIC), 0)
        async with running(relay(sample, broker).run()):
            await eventually(lambda: told("messaging.outbox.events", 0, state="pending"))
        assert measured("messaging.client.sent.messages", **ON_TOPIC) == before + 2
    assert measured("messaging.outbox.events", state="pending") == -1


async def test_a_consumer_tells_what_it_handled_parked_and_has_yet_to_read(
    sample: Sample, broker: str, database: Database
) -> None:
    gate = asyncio.Event()

    async def handle(event: ReceivedEvent, _work: UnitOfWork) -> None:
        if event.data["sample"]["name"] == "bad":
            raise Invalid("no")
        await gate.wait()

    consumer = Consumer(
        Subscription(GROUP, {TOPIC: handle}),
        service=SERVICE,
        database=database,
        bootstrap_servers=broker,
        session_timeout=6,
        wait_milliseconds=50,
        on_commit=lambda: None,
    )
    await sample.emit("k-1", "bad", "good", "good")
    async with running(relay(sample, broker).run(), consumer.run()):
        await eventually(lambda: told("messaging.consumer.parked", 1, **OF_GROUP))
        await eventually(lambda: told("messaging.consumer.lag", 2, **OF_GROUP))
        gate.set()
        await eventually(lambda: told("messaging.client.consumed.messages", 2, **OF_GROUP))
        await eventually(lambda: told("messaging.consumer.lag", 0, **OF_GROUP))
    assert measured("messaging.process.duration", **OF_GROUP) >= 3


async def told(name: str, value: float, **attributes: str) -> bool:
    return measured(name, **attributes) == value
