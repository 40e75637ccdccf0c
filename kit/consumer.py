"""The consumer loop: each event takes effect once, whatever dies when.

The event's id goes into the inbox in the transaction of its effect; the offset is committed after that. A crash in
between brings the event again and the inbox drops it. An event that cannot be handled is parked in `<topic>.dlq`
with the reason, and the loop goes on; trouble with the database or the broker is waited out instead.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from opentelemetry.trace import SpanKind

from kit import faults, logs, tracing
from kit.call import Call
from kit.database import Database
from kit.errors import Problem
from kit.events import NotAnEvent, ReceivedEvent, parse
from kit.identity import Principal
from kit.kafka import start_consumer, start_producer, stop
from kit.unit_of_work import UnitOfWork, unit_of_work

Handler = Callable[[ReceivedEvent, UnitOfWork], Awaitable[None]]

DEAD_LETTER_SUFFIX = ".dlq"
_TRIES = 3
_PAUSE_SECONDS = 0.5
_POLL_MILLISECONDS = 1000
_WAIT_MILLISECONDS = 50
# A client that has events to read and reads none for this long is thrown away (aio-libs/aiokafka#1154).
_WEDGED_SECONDS = 60.0

log = logs.get_logger(__name__)


@dataclass(frozen=True)
class Subscription:
    """What a service listens to: `name` is the consumer group and the inbox's consumer."""

    name: str
    handlers: Mapping[str, Handler]


class Consumer:
    """Run with `run()` until cancelled."""

    def __init__(
        self,
        subscription: Subscription,
        *,
        service: str,
        database: Database,
        bootstrap_servers: str,
        session_timeout: float,
        on_commit: Callable[[], None],
    ) -> None:
        self._subscription = subscription
        self._service = service
        self._database = database
        self._bootstrap_servers = bootstrap_servers
        self._session_timeout = session_timeout
        self._on_commit = on_commit

    async def run(self) -> None:
        """Never returns; the clients are rebuilt after any trouble with the broker."""
        name = self._subscription.name
        while True:
            try:
                await self._consume()
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("consumer interrupted", consumer=name, error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _consume(self) -> None:
        name = self._subscription.name
        producer = await start_producer(self._bootstrap_servers, client_id=f"{name}-dead-letters")
        try:
            consumer = await start_consumer(
                self._bootstrap_servers,
                self._subscription.handlers,
                group=name,
                client_id=name,
                session_timeout=self._session_timeout,
                wait_milliseconds=_WAIT_MILLISECONDS,
            )
            try:
                await self._read(consumer, producer)
            finally:
                await stop(consumer)
        finally:
            await stop(producer)

    async def _read(self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
        log.info("consumer at work", consumer=self._subscription.name, topics=sorted(self._subscription.handlers))
        clock = asyncio.get_running_loop().time
        last_progress = clock()
        while True:
            batches = await consumer.getmany(timeout_ms=_POLL_MILLISECONDS, max_records=100)
            for partition, records in batches.items():
                for record in records:
                    await self._take(record, producer)
                    await consumer.commit({partition: record.offset + 1})
                    faults.point("after-offset")
            if batches or not await _is_behind(consumer):
                last_progress = clock()
            elif clock() - last_progress > _WEDGED_SECONDS:
                raise TimeoutError("there are events to read, but none come")

    async def _take(self, record: "ConsumerRecord[bytes, bytes]", producer: AIOKafkaProducer) -> None:
        try:
            event = parse(record.value, topic=record.topic)
        except NotAnEvent as error:
            await self._park(record, producer, error)
            return
        token = logs.correlation_id.set(event.correlation_id)
        try:
            await self._handle_or_park(event, record, producer)
        finally:
            logs.correlation_id.reset(token)

    async def _handle_or_park(
        self, event: ReceivedEvent, record: "ConsumerRecord[bytes, bytes]", producer: AIOKafkaProducer
    ) -> None:
        tries = 0
        while True:
            try:
                await self._handle(event)
                return
            except Exception as error:
                # What passes by itself (no database, a lock) is waited out; only what the event itself causes counts.
                if isinstance(error, Problem) and error.retry_after:
                    log.warning("event waits", event_id=event.id, topic=event.topic, reason=error.detail)
                else:
                    tries += 1
                    log.warning(
                        "event not handled", event_id=event.id, topic=event.topic, error=repr(error), tries=tries
                    )
                    if tries == _TRIES:
                        await self._park(record, producer, error)
                        return
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _handle(self, event: ReceivedEvent) -> None:
        name = self._subscription.name
        call = Call(
            method=f"{name}/{event.topic}",
            principal=Principal(subject=f"consumer:{name}", workspace_id=event.workspace_id, service=self._service),
            correlation_id=event.correlation_id,
            traceparent=event.traceparent,
        )
        with tracing.span(f"consume {event.topic}", kind=SpanKind.CONSUMER, traceparent=event.traceparent):
            async with unit_of_work(self._database, call, service=self._service) as work:
                if await work.claim_event(name, event):
                    await self._subscription.handlers[event.topic](event, work)
                faults.point("before-consumer-commit")
        faults.point("after-consumer-commit")
        if work.emitted:
            self._on_commit()

    async def _park(self, record: "ConsumerRecord[bytes, bytes]", producer: AIOKafkaProducer, error: Exception) -> None:
        reason = error.detail if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
        headers = [
            *record.headers,
            ("dlq-reason", reason[:1000].encode()),
            ("dlq-consumer", self._subscription.name.encode()),
            ("dlq-topic", record.topic.encode()),
            ("dlq-partition", str(record.partition).encode()),
            ("dlq-offset", str(record.offset).encode()),
        ]
        await producer.send_and_wait(
            record.topic + DEAD_LETTER_SUFFIX, value=record.value, key=record.key, headers=headers
        )
        log.error("event parked", topic=record.topic, partition=record.partition, offset=record.offset, reason=reason)


async def _is_behind(consumer: Any) -> bool:
    for partition in consumer.assignment():
        assert isinstance(partition, TopicPartition)
        end = consumer.highwater(partition)
        if end is not None and await consumer.position(partition) < end:
            return True
    return False
