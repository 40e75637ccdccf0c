"""The embedded broker, with the client library that the services use."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from devstack import environment
from devstack.kafka import Kafka
from devstack.layout import KAFKA, Layout


async def test_what_a_producer_sends_a_consumer_reads(layout: Layout) -> None:
    kafka = Kafka(layout.kafka_address, layout.log(KAFKA), environment.base())
    try:
        await kafka.start()
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", enable_idempotence=True)
        await producer.start()
        await producer.send_and_wait("ticket.created", b"hello", key=b"t-1")
        await producer.stop()
        consumer = AIOKafkaConsumer(
            "ticket.created", bootstrap_servers=kafka.bootstrap, group_id="g", auto_offset_reset="earliest"
        )
        await consumer.start()
        record = await asyncio.wait_for(consumer.getone(), 20)
        await consumer.stop()
        assert (record.key, record.value) == (b"t-1", b"hello")
    finally:
        code = await kafka.child.stop()
    assert code == 0
