"""Kafka clients with the settings that lose nothing; aiokafka's own defaults do (acks=1, auto-commit, latest)."""

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

MAX_EVENT_BYTES = 900_000
_STOP_TIMEOUT = 5


async def start_producer(bootstrap_servers: str, *, client_id: str) -> AIOKafkaProducer:
    """A producer that waits for all in-sync replicas and keeps the order of a partition. Raises KafkaError."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        linger_ms=2,
        max_request_size=1_000_000,
        request_timeout_ms=10_000,
    )
    await _start(producer)
    return producer


async def follow(producer: AIOKafkaProducer, topics: Iterable[str]) -> None:
    """Have the client follow who leads these topics, before anything is sent to several of them at once.

    Once it had to ask for all topics (after a broken connection, say), aiokafka takes none of those to be new; but from
    the first new one on it asks for new ones alone and forgets the others. What is on its way to those is given up
    after 10 s."""
    await asyncio.gather(*(producer.client.add_topic(topic) for topic in topics))


async def start_consumer(
    bootstrap_servers: str,
    topics: Iterable[str],
    *,
    group: str | None,
    client_id: str,
    session_timeout: float = 10,
    wait_milliseconds: int = 500,
) -> AIOKafkaConsumer:
    """A consumer that begins with the oldest event and commits only what it is told to. Its partitions go to
    another member of the group `session_timeout` seconds after it was last heard of. Raises KafkaError.

    `wait_milliseconds` is how long the broker may keep a fetch that finds nothing. Apache Kafka answers as soon as
    there is something; the embedded broker only then."""
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap_servers,
        group_id=group,
        client_id=client_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        session_timeout_ms=int(session_timeout * 1000),
        heartbeat_interval_ms=int(session_timeout * 300),
        metadata_max_age_ms=5_000,
        fetch_max_wait_ms=wait_milliseconds,
    )
    await _start(consumer)
    return consumer


async def stop(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Stop a client, for at most 5 s: a wedged one (aio-libs/aiokafka#773) must not hold up a shutdown."""
    # asyncio.wait_for would wait on for a client that ignores its cancellation, and lose a cancellation of its caller.
    stopping = asyncio.create_task(client.stop())
    try:
        await asyncio.wait([stopping], timeout=_STOP_TIMEOUT)
        # A client may end in the cancellation of a task of its own, which is no cancellation of ours.
        if stopping.done() and not stopping.cancelled():
            stopping.result()
    except (KafkaError, OSError):
        return
    finally:
        stopping.cancel()


async def _start(client: Any) -> None:
    try:
        await client.start()
    except BaseException:
        await stop(client)
        raise
