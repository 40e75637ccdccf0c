"""Sends parked events back to the consumer that parked them, once the cause is mended.

    KAFKA_BOOTSTRAP_SERVERS=… python -m kit.replay ticket.created --consumer ops-pipelines [--dry-run]

Reads `<topic>.dlq` from where the last replay for that consumer ended up to its present end, and writes each event of
the consumer to its topic with a header that makes all other consumers pass it by (`kit.consumer`). Killed midway, it
begins with what it had not noted as sent; the consumer's inbox drops what it gets twice. What fails again is parked
again.

With `--event` or `--since` some are chosen, from the topic's beginning; the place where the next replay begins stays.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from kit.events import NotAnEvent, parse
from kit.kafka import start_consumer, start_producer, stop
from kit.operator_settings import ReplaySettings
from kit.parking import DEAD_LETTER_SUFFIX, Record, consumer_of, reason_of, sent_back
from kit.settings import read

_CLIENT = "opsfield-replay"
_POLL_MILLISECONDS = 500
_STALLED_SECONDS = 30

Chosen = Callable[["Parked"], bool]


@dataclass(frozen=True)
class Parked:
    """A dead letter. `event_id` is empty where the record is no event."""

    record: Record
    event_id: str
    at: datetime
    reason: str

    def __str__(self) -> str:
        key = (self.record.key or b"").decode(errors="replace")
        return f"{self.at:%Y-%m-%dT%H:%M:%SZ}  {self.event_id or '(no event)'}  key {key}  {self.reason}"


async def replay(
    bootstrap_servers: str,
    topic: str,
    consumer: str,
    *,
    chosen: Chosen | None = None,
    dry_run: bool = False,
    tell: Callable[[Parked], None] = lambda _parked: None,
) -> int:
    """How many events were sent back to `consumer`; `dry_run`: how many would be. `chosen`: None for all since the last
    replay. Raises KafkaError or TimeoutError when the broker cannot be reached or ceases to answer."""
    producer = await start_producer(bootstrap_servers, client_id=_CLIENT)
    try:
        async with _reader(bootstrap_servers, producer, topic + DEAD_LETTER_SUFFIX, consumer) as reader:
            if chosen:
                await reader.seek_to_beginning()
            count = 0
            async for place, records in _up_to_the_end(reader):
                for parked in map(_parked, records):
                    if consumer_of(parked.record) != consumer or (chosen and not chosen(parked)):
                        continue
                    tell(parked)
                    count += 1
                    if not dry_run:
                        await producer.send_and_wait(
                            topic,
                            value=parked.record.value,
                            key=parked.record.key,
                            headers=sent_back(parked.record, consumer),
                        )
                if not dry_run and chosen is None:
                    await reader.commit({place: records[-1].offset + 1})
            return count
    finally:
        await stop(producer)


@asynccontextmanager
async def _reader(
    bootstrap_servers: str, producer: AIOKafkaProducer, topic: str, consumer: str
) -> AsyncIterator[AIOKafkaConsumer]:
    """Of all partitions, without being a member of the group whose offsets tell how far a replay has come."""
    numbers = await producer.partitions_for(topic)
    reader = await start_consumer(bootstrap_servers, (), group=f"{consumer}-replay", client_id=_CLIENT)
    try:
        reader.assign([TopicPartition(topic, number) for number in numbers])
        yield reader
    finally:
        await stop(reader)


async def _up_to_the_end(reader: AIOKafkaConsumer) -> AsyncIterator[tuple[TopicPartition, list[Record]]]:
    """What is there by now, partition by partition; what is parked meanwhile is for the next replay."""
    ends: Mapping[TopicPartition, int] = await reader.end_offsets(list(reader.assignment()))
    clock = asyncio.get_running_loop().time
    last_progress = clock()
    while behind := [place for place, end in ends.items() if await reader.position(place) < end]:
        batches = await reader.getmany(*behind, timeout_ms=_POLL_MILLISECONDS, max_records=100)
        for place, records in batches.items():
            if before_end := [record for record in records if record.offset < ends[place]]:
                yield place, before_end
        if batches:
            last_progress = clock()
        elif clock() - last_progress > _STALLED_SECONDS:
            raise TimeoutError("there are events to read, but none come")


def _parked(record: Record) -> Parked:
    try:
        event_id = parse(record.value, topic=record.topic).id
    except NotAnEvent:
        event_id = ""
    return Parked(record, event_id, datetime.fromtimestamp(record.timestamp / 1000, UTC), reason_of(record))


def _choice(events: list[str], since: datetime | None) -> Chosen | None:
    if not events and since is None:
        return None
    return lambda parked: (not events or parked.event_id in events) and (since is None or parked.at >= since)


def _instant(text: str) -> datetime:
    """Raises ValueError; without a zone it is UTC."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kit.replay", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("topic", help="whose events were parked, for example ticket.created")
    parser.add_argument("--consumer", required=True, help="the consumer group that parked them")
    parser.add_argument("--event", action="append", default=[], metavar="ID", help="only this one; may be repeated")
    parser.add_argument("--since", type=_instant, metavar="TIME", help="only what was parked then or later (RFC 3339)")
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    given = parser.parse_args(arguments)
    settings = read(ReplaySettings)
    work = replay(
        settings.kafka_bootstrap_servers,
        given.topic,
        given.consumer,
        chosen=_choice(given.event, given.since),
        dry_run=given.dry_run,
        tell=print,
    )
    try:
        count = asyncio.run(work)
    except (KafkaError, OSError, TimeoutError) as error:
        print(f"The replay of {given.topic} did not end: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"{count} {'would be' if given.dry_run else 'were'} sent back to {given.consumer}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
