"""The brokers, with the client library that the services use."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from devstack import apache_kafka
from devstack.broker import Broker, Kind, new_broker
from devstack.layout import KAFKA, Layout, StackError

APACHE = pytest.param(
    "apache", marks=pytest.mark.skipif(not apache_kafka.is_available(), reason="Java or Maven is not there")
)


async def send(broker: Broker, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait("ticket.created", value, key=b"t-1")
    await producer.stop()


async def read(broker: Broker, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(
        "ticket.created", bootstrap_servers=broker.bootstrap, group_id="g", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        return [(await asyncio.wait_for(consumer.getone(), 60)).value for _ in range(count)]
    finally:
        await consumer.stop()


@pytest.mark.parametrize("kind", ["embedded", APACHE])
async def test_what_a_producer_sends_a_consumer_reads(layout: Layout, kind: Kind) -> None:
    broker = new_broker(kind, layout.data, layout.log(KAFKA))
    try:
        await broker.start()
        await send(broker, b"hello")
        assert await read(broker, 1) == [b"hello"]
    finally:
        code = await broker.child.stop()
    assert code in (0, 143)  # Java's way to end by SIGTERM


@pytest.mark.parametrize("kind", [APACHE])
async def test_killed_it_keeps_its_address_and_what_it_took(layout: Layout, kind: Kind) -> None:
    broker = new_broker(kind, layout.data, layout.log(KAFKA))
    try:
        await broker.start()
        address = broker.bootstrap
        await send(broker, b"before")
        await broker.child.kill()
        await broker.start()
        assert broker.bootstrap == address
        await send(broker, b"after")
        assert await read(broker, 2) == [b"before", b"after"]
    finally:
        await broker.child.stop()


async def test_without_java_one_is_told(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(layout.data))
    with pytest.raises(StackError, match="needs Java"):
        new_broker("apache", layout.data, layout.log(KAFKA))
