"""The events that a batch consists of, with their limits: `TelemetryEvent` of the contract, a class for each type.

The classes are msgspec's, whose compiled decoders read and check an event in a fraction of a microsecond.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal, NamedTuple, TypeAlias

from msgspec import Meta, Struct

Instant = Annotated[datetime, Meta(tz=True)]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._/-]+$")]
Source = Annotated[str, Meta(min_length=1, max_length=200)]
Instance = Annotated[str, Meta(max_length=500)]
Message = Annotated[str, Meta(max_length=10_000)]
Version = Annotated[str, Meta(max_length=50)]
Severity = Literal["debug", "info", "warn", "error", "fatal"]
Attributes = Annotated[
    dict[Annotated[str, Meta(max_length=200)], Annotated[str, Meta(max_length=2000)]], Meta(max_length=50)
]
Words = Annotated[str, Meta(min_length=1, max_length=100)]


class _Event(Struct, tag_field="type", rename="camel", forbid_unknown_fields=True, gc=False):
    observed_at: Instant


class Metric(_Event, tag="metric"):
    """A number that was measured."""

    name: Name
    value: float
    instance: Instance | None = None


class Heartbeat(_Event, tag="heartbeat"):
    """The agent is alive."""

    uptime_seconds: Annotated[int, Meta(ge=0, le=10_000_000_000)] | None = None
    agent_version: Version | None = None


class Log(_Event, tag="log"):
    """A line that a program wrote."""

    source: Source
    message: Message
    severity: Severity = "info"
    attributes: Attributes | None = None


class Check(_Event, tag="check"):
    """What came of a check."""

    name: Words
    status: Literal["ok", "warning", "critical", "unknown"]
    message: Message | None = None
    instance: Instance | None = None


class InventoryReport(Struct, rename="camel", forbid_unknown_fields=True):
    """What the machine is."""

    hostname: Annotated[str, Meta(min_length=1, max_length=253)]
    type: Literal["workstation", "laptop", "server", "virtual_machine"] | None = None
    manufacturer: Words | None = None
    model: Words | None = None
    serial_number: Words | None = None
    operating_system: Words | None = None
    ip_address: Annotated[str, Meta(max_length=45)] | None = None
    mac_address: Annotated[str, Meta(max_length=17)] | None = None
    agent_version: Version | None = None
    cpu_count: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    memory_bytes: Annotated[int, Meta(ge=0, le=10**15)] | None = None


class Inventory(_Event, tag="inventory"):
    """The machine, as the agent finds it."""

    inventory: InventoryReport


Event: TypeAlias = Metric | Heartbeat | Log | Check | Inventory


class Rejection(NamedTuple):
    """Why the event at a position of the batch is not taken."""

    position: int
    message: str


@dataclass
class Batch:
    """A batch as it was read, whatever it was written in. `indexes` are the positions of the events in the batch; empty
    where all of it could be read."""

    events: list[Event]
    rejections: list[Rejection] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)

    def index(self, position: int) -> int:
        """Where in the batch the event at this position of `events` stood."""
        return self.indexes[position] if self.indexes else position

    def take(self, index: int, event: Event) -> None:
        """Add an event that stood at `index`."""
        self.events.append(event)
        self.indexes.append(index)

    def reject(self, index: int, message: str) -> None:
        self.rejections.append(Rejection(index, message))
