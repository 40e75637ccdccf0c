"""The outbox relay: brings committed events to Kafka, each at least once, in order per key.

Every replica of a service runs one; an advisory lock lets one of them work at a time, and another takes over when
its database connection ends. It polls by state (a row is still there) and never by position: identity numbers are
taken before commit, so a reader that remembers the highest one loses events. A commit in the same process wakes it.

While an event of a key waits or has failed, later events of that key wait behind it.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from kit import faults, metrics
from kit.database import DATABASE_ERRORS, relay_connection
from kit.errors import Problem
from kit.events import CONTENT_TYPE
from kit.kafka import MAX_EVENT_BYTES, follow, start_consumer, start_producer, stop
from kit.logs import get_logger

_BATCH = 500
_IDLE_SECONDS = 0.2
# Woken again and again, it looks no more often than that, and finds more each time; the first time it looks at once.
_LINGER_SECONDS = 0.01
_STANDBY_SECONDS = 2.0
_SEND_TIMEOUT = 15
_SWEEP_SECONDS = 600
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
# Names the relay's turn among a service's replicas (each service has its own database).
_LOCK = 7_236_511

# Rows whose time has come, less those behind an earlier row of their key that has failed or waits for its time.
_DUE = """
SELECT id, sequence, topic, key, payload::text AS payload, attempts FROM outbox AS event
WHERE state = 'pending' AND next_attempt_at <= now() AND NOT EXISTS (
    SELECT FROM outbox AS earlier
    WHERE earlier.topic = event.topic AND earlier.key = event.key AND earlier.sequence < event.sequence
    AND earlier.state <> 'published' AND (earlier.state = 'failed' OR earlier.next_attempt_at > now())
)
ORDER BY sequence LIMIT $1
"""
_PUBLISHED = """
UPDATE outbox SET state = 'published', published_at = now(), last_error = NULL
WHERE sequence = ANY($1::bigint[]) AND state <> 'published'
"""
_POSTPONED = """
UPDATE outbox SET attempts = attempts + 1, last_error = $2, next_attempt_at = now() + make_interval(secs => $3)
WHERE sequence = ANY($1::bigint[]) AND state <> 'published'
"""
_FAILED = """
UPDATE outbox SET state = 'failed', attempts = attempts + 1, last_error = $2
WHERE sequence = $1 AND state <> 'published'
"""
_SENT_TOPICS = "SELECT DISTINCT topic FROM outbox WHERE state = 'published'"
_SEND_AGAIN = (
    "UPDATE outbox SET state = 'pending', next_attempt_at = now() WHERE state = 'published' AND topic = ANY($1)"
)

log = get_logger(__name__)


@dataclass(frozen=True)
class Retention:
    """Days that rows are kept: published events, idempotency keys, ids of consumed events."""

    outbox: int
    idempotency: int
    inbox: int


class Relay:
    """Run with `run()` until cancelled; `wake()` when something was committed."""

    def __init__(
        self,
        *,
        service: str,
        database_url: str,
        bootstrap_servers: str,
        retention: Callable[[], Awaitable[Retention]],
    ) -> None:
        self._service = service
        self._database_url = database_url
        self._bootstrap_servers = bootstrap_servers
        self._retention = retention
        self._something_new = asyncio.Event()
        self._pause = _FIRST_PAUSE

    def wake(self) -> None:
        self._something_new.set()

    async def run(self) -> None:
        """Never returns; any trouble with the database or the broker is logged, waited out and begun afresh."""
        while True:
            try:
                await self._work_while_connected()
            except (*DATABASE_ERRORS, KafkaError) as error:
                log.warning("outbox relay interrupted", error=f"{type(error).__name__}: {error}", pause=self._pause)
                await self._back_off()

    async def _work_while_connected(self) -> None:
        async with relay_connection(self._database_url) as connection:
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                await asyncio.sleep(_STANDBY_SECONDS)
            try:
                producer = await start_producer(self._bootstrap_servers, client_id=f"{self._service}-relay")
            except (KafkaError, OSError) as error:
                await self._note_broker_down(connection, error)
                raise
            try:
                await self._resend_if_broker_is_empty(connection, producer)
                await self._relay(connection, producer)
            finally:
                await stop(producer)

    async def _relay(self, connection: "asyncpg.Connection[asyncpg.Record]", producer: AIOKafkaProducer) -> None:
        log.info("outbox relay at work")
        next_sweep = 0.0
        clock = asyncio.get_running_loop().time
        next_look = 0.0
        while True:
            if (early := next_look - clock()) > 0:
                await asyncio.sleep(early)
            self._something_new.clear()
            next_look = clock() + _LINGER_SECONDS
            due = await connection.fetch(_DUE, _BATCH)
            if due:
                await self._publish(connection, producer, due)
                self._pause = _FIRST_PAUSE
                continue
            if clock() >= next_sweep:
                await self._sweep(connection)
                next_sweep = clock() + _SWEEP_SECONDS
            # Not asyncio.wait_for: up to Python 3.11 it loses a cancellation that comes with what it waits for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_SECONDS):
                    await self._something_new.wait()

    async def _publish(
        self,
        connection: "asyncpg.Connection[asyncpg.Record]",
        producer: AIOKafkaProducer,
        due: Sequence[asyncpg.Record],
    ) -> None:
        """Send in rounds, each with at most one event of a key, so that a later one never overtakes."""
        blocked: set[tuple[str, str]] = set()
        await follow(producer, {row["topic"] for row in due})
        for batch in _rounds(due):
            ready = [row for row in batch if (row["topic"], row["key"]) not in blocked]
            faults.point("before-produce")
            results = await asyncio.gather(*(_send(producer, row) for row in ready), return_exceptions=True)
            faults.point("after-produce")
            sent = [row["sequence"] for row, result in zip(ready, results, strict=True) if result is None]
            if sent:
                await connection.execute(_PUBLISHED, sent)
                _count(row for row, result in zip(ready, results, strict=True) if result is None)
            faults.point("after-acknowledge")
            for row, error in zip(ready, results, strict=True):
                if isinstance(error, MessageSizeTooLargeError):
                    blocked.add((row["topic"], row["key"]))
                    await connection.execute(_FAILED, row["sequence"], str(error))
                    log.error(
                        "event cannot be published", event_id=str(row["id"]), topic=row["topic"], error=str(error)
                    )
            transient = [each for each in results if each and not isinstance(each, MessageSizeTooLargeError)]
            if transient:
                unsent = [row["sequence"] for row, error in zip(ready, results, strict=True) if error in transient]
                await connection.execute(
                    _POSTPONED, unsent, f"{type(transient[0]).__name__}: {transient[0]}", self._pause
                )
                raise transient[0]

    async def _note_broker_down(self, connection: "asyncpg.Connection[asyncpg.Record]", error: Exception) -> None:
        waiting = [row["sequence"] for row in await connection.fetch(_DUE, _BATCH)]
        if waiting:
            await connection.execute(_POSTPONED, waiting, f"{type(error).__name__}: {error}", self._pause)

    async def _resend_if_broker_is_empty(
        self, connection: "asyncpg.Connection[asyncpg.Record]", producer: AIOKafkaProducer
    ) -> None:
        """A broker that has lost everything (the embedded one, over a restart) gets the kept events once more; the
        consumers' inboxes make that harmless. A topic counts as lost when nothing was ever written to it."""
        topics = [row["topic"] for row in await connection.fetch(_SENT_TOPICS)]
        if not topics:
            return
        consumer = await start_consumer(
            self._bootstrap_servers, (), group=None, client_id=f"{self._service}-relay-check"
        )
        try:
            empty = [
                topic for topic in topics if await _is_empty(consumer, topic, await producer.partitions_for(topic))
            ]
        finally:
            await stop(consumer)
        if empty:
            result = await connection.execute(_SEND_AGAIN, empty)
            log.warning(
                "the broker holds nothing of what was sent; sending again", topics=empty, rows=result.split()[-1]
            )

    async def _sweep(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        try:
            retention = await self._retention()
        except Problem as problem:
            log.warning("nothing swept: how long to keep is not known", reason=problem.detail)
            return
        for table, column, days in (
            ("outbox", "published_at", retention.outbox),
            ("idempotency_keys", "created_at", retention.idempotency),
            ("inbox", "received_at", retention.inbox),
        ):
            condition = "state = 'published' AND " if table == "outbox" else ""
            await connection.execute(
                f"DELETE FROM {table} WHERE {condition}{column} < now() - make_interval(days => $1)", days
            )

    async def _back_off(self) -> None:
        """Full jitter, doubling to 5 s: the whole backlog must be through soon after the broker is back."""
        await asyncio.sleep(random.uniform(_FIRST_PAUSE / 2, self._pause))  # noqa: S311 - no secret
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)


def _rounds(due: Sequence[asyncpg.Record]) -> list[list[asyncpg.Record]]:
    rounds: list[list[asyncpg.Record]] = []
    seen: dict[tuple[str, str], int] = {}
    for row in due:
        place = seen.get((row["topic"], row["key"]), 0)
        seen[row["topic"], row["key"]] = place + 1
        if place == len(rounds):
            rounds.append([])
        rounds[place].append(row)
    return rounds


def _count(sent: Iterable[asyncpg.Record]) -> None:
    if metrics.enabled():
        for topic, many in Counter(row["topic"] for row in sent).items():
            metrics.SENT.add(many, {"messaging.destination.name": topic})


async def _send(producer: AIOKafkaProducer, row: asyncpg.Record) -> None:
    value = row["payload"].encode()
    if len(value) > MAX_EVENT_BYTES:
        raise MessageSizeTooLargeError(f"the event has {len(value)} bytes, more than {MAX_EVENT_BYTES}")
    headers = [("content-type", CONTENT_TYPE)]
    sending = producer.send_and_wait(row["topic"], value=value, key=row["key"].encode(), headers=headers)
    await asyncio.wait_for(sending, _SEND_TIMEOUT)


async def _is_empty(consumer: AIOKafkaConsumer, topic: str, numbers: Iterable[int]) -> bool:
    ends = await consumer.end_offsets([TopicPartition(topic, number) for number in numbers])
    return not any(ends.values())
