"""How far a consumer is behind, by topic, for metrics."""

import asyncio
from collections import Counter

from aiokafka import AIOKafkaConsumer
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
        for partition, end in (await self._consumer.end_offsets(self._consumer.assignment())).items():
            behind[partition.topic] += max(0, end - await self._consumer.position(partition))
        return behind

    def _tell(self) -> metrics.Measured:
        group = {"messaging.consumer.group.name": self._group}
        return [(many, {"messaging.destination.name": topic, **group}) for topic, many in self._behind.items()]
