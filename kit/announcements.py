"""What the platform announces to every process, read as it comes.

Unlike a consumer (kit/consumer.py), which takes each event once per group and changes rows, this tells each process
of the events from now on, and changes nothing but what that process holds in memory: copies of settings and secrets.
It also proves how far it is: `confirmed_at` is the last instant at which nothing was left unread.
"""

import asyncio
import contextlib
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any

from aiokafka.errors import KafkaError

from kit import logs
from kit.events import NotAnEvent, ReceivedEvent, parse
from kit.kafka import start_consumer, stop

Listener = Callable[[ReceivedEvent], None]

_POLL_MILLISECONDS = 500
_ANSWER_SECONDS = 5.0
_PAUSE_SECONDS = 1.0

log = logs.get_logger(__name__)


class Announcements:
    """`listen` to topics, then `run()` until cancelled. Times are those of `time.monotonic`."""

    def __init__(self, *, bootstrap_servers: str, client_id: str) -> None:
        self._listeners: dict[str, Listener] = {}
        self._bootstrap_servers = bootstrap_servers
        self._client_id = client_id
        # Since when every event is heard; from there to `confirmed_at` none was missed.
        self.began_at = inf
        self.confirmed_at = -inf

    def listen(self, topic: str, listener: Listener) -> None:
        """Be told of each event of a topic, from the start of `run` on."""
        self._listeners[topic] = listener

    async def run(self) -> None:
        """Never returns; the client is rebuilt after any trouble with the broker."""
        while True:
            try:
                await self._listen()
            except (KafkaError, OSError, TimeoutError) as error:
                log.debug("announcements interrupted", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _listen(self) -> None:
        consumer = await start_consumer(self._bootstrap_servers, self._listeners, group=None, client_id=self._client_id)
        try:
            await consumer.seek_to_end()
            # What is fetched from the platform after this instant misses nothing.
            await self._ends(consumer)
            self.began_at = monotonic()
            log.info("announcements are heard", topics=sorted(self._listeners))
            while True:
                before = monotonic()
                ends = await self._ends(consumer)
                behind = [each for each, end in ends.items() if await consumer.position(each) < end]
                if not behind:
                    self.confirmed_at = before
                for records in (await consumer.getmany(timeout_ms=_POLL_MILLISECONDS)).values():
                    for record in records:
                        self._tell(record)
        finally:
            await stop(consumer)

    async def _ends(self, consumer: Any) -> dict[Any, int]:
        partitions = consumer.assignment()
        if not partitions:
            raise TimeoutError("the topics do not exist yet")
        async with asyncio.timeout(_ANSWER_SECONDS):
            # The position first: finding it out asks the broker too.
            for each in partitions:
                await consumer.position(each)
            ends: dict[Any, int] = await consumer.end_offsets(partitions)
        return ends

    def _tell(self, record: Any) -> None:
        with contextlib.suppress(NotAnEvent):
            self._listeners[record.topic](parse(record.value, topic=record.topic))
