"""How far a consumer is behind, by topic, for metrics."""

import asyncio
from collections import Counter

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from kit import metrics
from kit.logs import get_logger

_SECONDS = 10.0

log = get_logger(__name__)


class Lag:
    """Run with `run()` until cancelled. Tells of the partitions that the consumer has at the time."""

    def __init__(self, consumer: AIOKafkaConsumer, group: str) -> None:
        self._consumer = consumer
        self._group = group
        self._behind: Counter[str] = Counter()
        # Of partitions with events at hand: the first one that is not done. Kafka's client only knows what it gave out.
        self._undone: dict[TopicPartition, int] = {}

    def at(self, partition: TopicPartition, offset: int) -> None:
        """All before this event is done."""
        self._undone[partition] = offset

    async def run(self) -> None:
        """Never returns; what the broker does not say in time is not told."""
        with metrics.LAG.told_by(self._tell):
            while True:
                try:
                    async with asyncio.timeout(_SECONDS):
                        self._behind = await self._measure()
                except (KafkaError, OSError, TimeoutError) as error:
                    log.debug("lag not known", consumer=self._group, error=f"{type(error).__name__}: {error}")
                    self._behind = Counter()
                await asyncio.sleep(metrics.EXPORT_SECONDS)

    async def _measure(self) -> Counter[str]:
        behind: Counter[str] = Counter()
        assigned = self._consumer.assignment()
        self._undone = {partition: offset for partition, offset in self._undone.items() if partition in assigned}
        for partition, end in (await self._consumer.end_offsets(assigned)).items():
            at = self._undone.get(partition)
            behind[partition.topic] += max(0, end - (await self._consumer.position(partition) if at is None else at))
        return behind

    def _tell(self) -> metrics.Measured:
        group = {"messaging.consumer.group.name": self._group}
        return [(many, {"messaging.destination.name": topic, **group}) for topic, many in self._behind.items()]
