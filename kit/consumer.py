"""The consumer loop: each event takes effect once, whatever dies when.

The event's id goes into the inbox in the transaction of its effect; the offset is committed after that. A crash in
between brings the event again and the inbox drops it. An event that cannot be handled is parked in `<topic>.dlq`
with the reason, and the loop goes on; trouble with the database or the broker is waited out instead. Its inbox does
not hold a parked event, so `kit.replay` can send it again; such a record is passed by where it is for another consumer.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from opentelemetry.trace import SpanKind

from kit import faults, logs, metrics, parking, tracing
from kit.call import Call
from kit.consumer_lag import Lag
from kit.database import Database
from kit.errors import Problem
from kit.events import NotAnEvent, ReceivedEvent, parse
from kit.identity import Principal
from kit.kafka import start_consumer, start_producer, stop
from kit.known_events import KnownEvents
from kit.parking import Record
from kit.unit_of_work import UnitOfWork, unit_of_work

Handler = Callable[[ReceivedEvent, UnitOfWork], Awaitable[None]]

_TRIES = 3
_PAUSE_SECONDS = 0.5
_POLL_MILLISECONDS = 1000
# Where events may take effect together, it looks no more often than that, and finds more each time; the first time it
# looks at once.
_LINGER_SECONDS = 0.02
# A client that has events to read and reads none for this long is thrown away (aio-libs/aiokafka#1154).
_WEDGED_SECONDS = 60.0

log = logs.get_logger(__name__)


@dataclass(frozen=True)
class Subscription:
    """What a service listens to: `name` is the consumer group and the inbox's consumer.

    `together`: of the events that are there, how many of a workspace may take effect in one transaction. More than one
    is for handlers that lock little and wait for nobody: what they lock stays locked until the last one is done."""

    name: str
    handlers: Mapping[str, Handler]
    together: int = 1


class Consumer:
    """Run with `run()` until cancelled. `wait_milliseconds` is as in kit.kafka.start_consumer."""

    def __init__(
        self,
        subscription: Subscription,
        *,
        service: str,
        database: Database,
        bootstrap_servers: str,
        session_timeout: float,
        wait_milliseconds: int,
        on_commit: Callable[[], None],
    ) -> None:
        self._subscription = subscription
        self._service = service
        self._database = database
        self._bootstrap_servers = bootstrap_servers
        self._session_timeout = session_timeout
        self._wait_milliseconds = wait_milliseconds
        self._on_commit = on_commit
        self._known = KnownEvents(database, consumer=subscription.name, call_of=self._call)

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
                wait_milliseconds=self._wait_milliseconds,
            )
            lag = Lag(consumer, name)
            measuring = asyncio.create_task(lag.run()) if metrics.enabled() else None
            try:
                await self._read(consumer, producer, lag)
            finally:
                if measuring:
                    measuring.cancel()
                await stop(consumer)
        finally:
            await stop(producer)

    async def _read(self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, lag: Lag) -> None:
        log.info("consumer at work", consumer=self._subscription.name, topics=sorted(self._subscription.handlers))
        clock = asyncio.get_running_loop().time
        last_progress = clock()
        next_look = 0.0
        while True:
            if self._subscription.together > 1 and (early := next_look - clock()) > 0:
                await asyncio.sleep(early)
            next_look = clock() + _LINGER_SECONDS
            batches = await consumer.getmany(timeout_ms=_POLL_MILLISECONDS, max_records=100)
            for partition, found in batches.items():
                lag.at(partition, found[0].offset)
            # Those of all partitions; of each one in its order.
            records = [record for found in batches.values() for record in found]
            left = await self._known.left(records)
            for some in _chunks(left, self._subscription.together):
                await self._take(some, producer)
                await self._move_on(consumer, some, lag)
                faults.point("after-offset")
            if len(left) < len(records):
                await self._move_on(consumer, records, lag)
            if batches or not await _is_behind(consumer):
                last_progress = clock()
            elif clock() - last_progress > _WEDGED_SECONDS:
                raise TimeoutError("there are events to read, but none come")

    async def _move_on(self, consumer: AIOKafkaConsumer, done: Sequence[Record], lag: Lag) -> None:
        """Of each partition, to behind the last one of these."""
        offsets = {TopicPartition(each.topic, each.partition): each.offset + 1 for each in done}
        await consumer.commit(offsets)
        for partition, offset in offsets.items():
            lag.at(partition, offset)

    async def _take(self, records: Sequence[Record], producer: AIOKafkaProducer) -> None:
        """A key belongs to one workspace, so the events of a key stay in their order."""
        of_workspace: dict[str, list[tuple[ReceivedEvent, Record]]] = {}
        for record in records:
            if not parking.is_for(record, self._subscription.name):
                continue
            try:
                event = parse(record.value, topic=record.topic)
            except NotAnEvent as error:
                await self._park(record, producer, error)
            else:
                of_workspace.setdefault(event.workspace_id, []).append((event, record))
        for taken in of_workspace.values():
            if len(taken) > 1 and await self._handled_together([event for event, _ in taken]):
                continue
            for event, record in taken:
                await self._handle_or_park(event, record, producer)

    async def _handled_together(self, events: Sequence[ReceivedEvent]) -> bool:
        """Whether all of them took effect; if not, none did, and each has to be looked at by itself."""
        try:
            await self._handle(events)
        except Exception as error:
            log.warning("events are handled one by one", topic=events[0].topic, events=len(events), error=repr(error))
            return False
        return True

    async def _handle_or_park(self, event: ReceivedEvent, record: Record, producer: AIOKafkaProducer) -> None:
        tries = 0
        while True:
            try:
                await self._handle([event])
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

    async def _handle(self, events: Sequence[ReceivedEvent]) -> None:
        """All of one workspace."""
        async with unit_of_work(self._database, self._call(events[0]), service=self._service) as work:
            new = await work.claim_events(self._subscription.name, events)
            for event in events:
                self._known.note(is_new=event.id in new)
                if event.id in new:
                    # The same event may have come twice.
                    new.remove(event.id)
                    async with work.part(self._call(event)) as part:
                        await self._handle_in(part, event)
            faults.point("before-consumer-commit")
        faults.point("after-consumer-commit")
        for event in events:
            metrics.CONSUMED.add(1, self._measured_as(event.topic))
        if work.emitted:
            self._on_commit()

    async def _handle_in(self, work: UnitOfWork, event: ReceivedEvent) -> None:
        token = logs.correlation_id.set(event.correlation_id)
        began = time.perf_counter()
        try:
            with tracing.span(f"consume {event.topic}", kind=SpanKind.CONSUMER, traceparent=event.traceparent):
                await self._subscription.handlers[event.topic](event, work)
        finally:
            metrics.PROCESS_DURATION.record(time.perf_counter() - began, self._measured_as(event.topic))
            logs.correlation_id.reset(token)

    def _call(self, event: ReceivedEvent) -> Call:
        name = self._subscription.name
        return Call(
            method=f"{name}/{event.topic}",
            principal=Principal(subject=f"consumer:{name}", workspace_id=event.workspace_id, service=self._service),
            correlation_id=event.correlation_id,
            traceparent=event.traceparent,
        )

    def _measured_as(self, topic: str) -> metrics.Attributes:
        return {"messaging.destination.name": topic, "messaging.consumer.group.name": self._subscription.name}

    async def _park(self, record: Record, producer: AIOKafkaProducer, error: Exception) -> None:
        reason = error.detail if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
        headers = parking.parked(record, consumer=self._subscription.name, reason=reason)
        await producer.send_and_wait(
            record.topic + parking.DEAD_LETTER_SUFFIX, value=record.value, key=record.key, headers=headers
        )
        metrics.PARKED.add(1, self._measured_as(record.topic))
        log.error("event parked", topic=record.topic, partition=record.partition, offset=record.offset, reason=reason)


def _chunks(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    for start in range(0, len(records), size):
        yield records[start : start + size]


async def _is_behind(consumer: Any) -> bool:
    for partition in consumer.assignment():
        assert isinstance(partition, TopicPartition)
        end = consumer.highwater(partition)
        if end is not None and await consumer.position(partition) < end:
            return True
    return False
