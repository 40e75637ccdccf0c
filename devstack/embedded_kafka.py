"""A Kafka broker as a small child process: the one that librdkafka carries inside, which any client reaches over TCP.

It keeps nothing over a restart, and its port is its own choice.

    python -m devstack.embedded_kafka ADDRESS_FILE
"""

import asyncio
import signal
import sys
from pathlib import Path

from confluent_kafka import Producer

from devstack.layout import KAFKA, StackError
from devstack.supervisor import Child

START_SECONDS = 20.0


class EmbeddedKafka:
    """The broker of one data folder."""

    def __init__(self, address_file: Path, log: Path, environment: dict[str, str]) -> None:
        """The broker writes where it listens to `address_file`; `environment` must let it import this package."""
        self._address_file = address_file
        command = [sys.executable, "-m", "devstack.embedded_kafka", str(address_file)]
        self.child = Child(KAFKA, command, environment, log, stop_seconds=5.0)
        self.bootstrap = ""
        """`host:port`, known once it has started."""
        # It answers a fetch that found nothing at the end of its wait, also when something came meanwhile.
        self.of_clients = {"KAFKA_FETCH_WAIT_MILLISECONDS": "50"}

    async def start(self) -> None:
        """Start the broker and return once it answers. Raises StackError when it does not get there."""
        self._address_file.unlink(missing_ok=True)
        await self.child.start()
        try:
            async with asyncio.timeout(START_SECONDS):
                while self.child.running and not self._address_file.exists():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            await self.child.kill()
        if not self._address_file.exists():
            raise StackError(f"Kafka did not start; the end of its log:\n{self.child.last_words()}")
        self.bootstrap = self._address_file.read_text().strip()


def main() -> None:
    """Hold a broker until SIGTERM or SIGINT."""
    signals = {signal.SIGTERM, signal.SIGINT}
    # Before librdkafka starts its threads, which would otherwise be ended by the signals in its place.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    # The producer is the handle by which the broker lives; it is never used to send.
    holder = Producer({"test.mock.num.brokers": 1, "log_level": 4})
    brokers = holder.list_topics(timeout=START_SECONDS).brokers
    address = ",".join(f"{broker.host}:{broker.port}" for broker in brokers.values())
    file = Path(sys.argv[1])
    beside = file.with_name(file.name + ".new")
    beside.write_text(address)
    beside.replace(file)
    print(f"Kafka listens on {address}", flush=True)
    signal.sigwait(signals)


if __name__ == "__main__":
    main()
