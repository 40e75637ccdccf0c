"""The Kafka brokers that the local platform can run on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

from devstack import environment
from devstack.apache_kafka import ApacheKafka
from devstack.embedded_kafka import EmbeddedKafka
from devstack.supervisor import Child

Kind = Literal["embedded", "apache"]
"""`embedded`: librdkafka's, which forgets at a restart. `apache`: Apache Kafka, which needs Java and Maven."""


class Broker(Protocol):
    """A broker of one data folder."""

    child: Child
    bootstrap: str
    """`host:port`, known once it has started."""

    @property
    def of_clients(self) -> Mapping[str, str]:
        """The settings, by the names of their variables, that clients of such a broker need."""
        ...

    async def start(self) -> None:
        """Start it and return once it answers. Raises StackError when it does not get there."""
        ...


def new_broker(kind: Kind, folder: Path, log: Path) -> Broker:
    """One that keeps what it has to keep in a folder, which is there. Raises StackError where it cannot be had."""
    if kind == "apache":
        return ApacheKafka(folder / "apache-kafka", log)
    return EmbeddedKafka(folder / "kafka-address", log, environment.base())
