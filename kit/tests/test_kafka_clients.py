"""A Kafka client that does not want to stop holds nobody up."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from kit import kafka
from kit.tests.kafka_records import send


class Client:
    """Stops when it is let, or fails to."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.let_stop = asyncio.Event()
        self.stopped = False
        self._error = error

    async def stop(self) -> None:
        await self.let_stop.wait()
        self.stopped = True
        if self._error:
            raise self._error


class Deaf(Client):
    """Ignores that it is told to give up."""

    async def stop(self) -> None:
        while not self.let_stop.is_set():
            try:
                await self.let_stop.wait()
            except asyncio.CancelledError:
                continue


def stopping(client: Any) -> "asyncio.Task[None]":
    return asyncio.create_task(kafka.stop(client))


async def test_a_client_is_given_the_time_to_stop() -> None:
    client = Client()
    task = stopping(client)
    client.let_stop.set()
    await task
    assert client.stopped


@pytest.mark.parametrize("error", [KafkaConnectionError("gone"), OSError("gone")])
async def test_a_client_whose_broker_is_gone_counts_as_stopped(error: Exception) -> None:
    client = Client(error)
    client.let_stop.set()
    await kafka.stop(client)
    assert client.stopped


async def test_a_client_that_never_stops_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "_STOP_TIMEOUT", 0.01)
    client = Deaf()
    task = stopping(client)
    await asyncio.wait([task], timeout=5)
    assert task.done()
    client.let_stop.set()


@pytest.mark.parametrize("turns", range(3))
async def test_whoever_is_cancelled_while_a_client_stops_learns_of_it(turns: int) -> None:
    client = Client()
    task = stopping(client)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    client.let_stop.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_client_that_ends_in_a_cancellation_of_its_own_is_stopped() -> None:
    client: Any = Client(asyncio.CancelledError())
    client.let_stop.set()
    await kafka.stop(client)
    assert client.stopped


async def test_what_is_on_its_way_is_not_forgotten_for_a_new_topic(broker: str) -> None:
    await send(broker, b"1", topic="known")
    producer = await kafka.start_producer(broker, client_id="follows")
    try:
        # What happens when the connection breaks: from now on all topics there are are known.
        await producer.client.force_metadata_update()
        await send(broker, b"1", topic="new")
        await kafka.follow(producer, ("known", "new"))
        # Longer on its way than it takes to ask for the new one.
        producer._message_accumulator._linger_time = 0.5
        async with asyncio.timeout(8):
            await asyncio.gather(*(producer.send_and_wait(topic, b"2", key=b"k") for topic in ("known", "new")))
    finally:
        await kafka.stop(producer)
