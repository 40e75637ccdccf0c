"""What becomes of the events of a batch: rows to be stored, and what detection wants to see of them."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from services.telemetry.detection.rules import CheckOutcome, Sample
from services.telemetry.ingest.events import (
    Batch,
    Check,
    Event,
    Heartbeat,
    Inventory,
    InventoryReport,
    Log,
    Metric,
)

# How far in the future an event may be: what clocks that are set right differ by at most.
_AHEAD = timedelta(minutes=5)
COLUMNS = ("workspace_id", "agent", "kind", "name", "instance", "value", "body", "observed_at", "received_at")
Row = tuple[str, int, str, str, str, float | None, str | None, datetime, datetime]


@dataclass(frozen=True)
class Window:
    """When the events of a batch may have been observed. `skew` is how far the agent's clock is behind."""

    received_at: datetime
    kept_for: timedelta
    skew: timedelta = timedelta()

    @classmethod
    def of(cls, received_at: datetime, kept_for: timedelta, sent_at: datetime | None) -> "Window":
        return cls(received_at, kept_for, received_at - sent_at if sent_at else timedelta())

    @property
    def earliest(self) -> datetime:
        """By the agent's clock."""
        return _moved(self.received_at - self.kept_for, -self.skew)

    @property
    def latest(self) -> datetime:
        """By the agent's clock."""
        return _moved(self.received_at + _AHEAD, -self.skew)


@dataclass
class Sorted:
    """`samples` and `outcomes` are what detection wants; `inventory` is the latest one. Times are the server's."""

    rows: list[Row] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    outcomes: list[CheckOutcome] = field(default_factory=list)
    inventory: InventoryReport | None = None
    agent_version: str | None = None
    first_observed_at: datetime | None = None
    last_observed_at: datetime | None = None


def sort_out(batch: Batch, window: Window, *, workspace_id: str, agent: int, watched: Container[str]) -> Sorted:
    """Rejects, in `batch`, events whose time cannot be and texts that no database takes. `watched` are the metrics that
    detection wants to see."""
    found = Sorted()
    skew, received_at = window.skew, window.received_at
    earliest, latest = window.earliest, window.latest
    rows, samples = found.rows, found.samples
    for position, event in enumerate(batch.events):
        at = event.observed_at
        if not earliest <= at <= latest:
            batch.reject(batch.index(position), _wrong_time(at, latest))
            continue
        if skew:
            at = at + skew
        if type(event) is Metric:
            name, instance = event.name, event.instance or ""
            if instance and not _storable(instance):
                batch.reject(
                    batch.index(position), "instance: must not contain the character NUL or half a surrogate pair"
                )
                continue
            rows.append((workspace_id, agent, "metric", name, instance, event.value, None, at, received_at))
            if name in watched:
                samples.append(Sample(name, instance, event.value, at))
            continue
        kind, name, instance, body = _described(event)
        text = orjson.dumps(body).decode() if _all_storable(name, instance, body) else None
        if text is None:
            batch.reject(batch.index(position), "a text in it contains the character NUL or half a surrogate pair")
            continue
        rows.append((workspace_id, agent, kind, name, instance, None, text, at, received_at))
        _note(found, event, at)
    batch.rejections.sort()
    if rows:
        times = [row[7] for row in rows]
        found.first_observed_at, found.last_observed_at = min(times), max(times)
    return found


def _described(event: Event) -> tuple[str, str, str, Mapping[str, Any]]:
    match event:
        case Log():
            body = {"severity": event.severity, "message": event.message}
            return "log", event.source, "", body | ({"attributes": event.attributes} if event.attributes else {})
        case Check():
            return "check", event.name, event.instance or "", {"status": event.status, "message": event.message}
        case Inventory():
            report = event.inventory
            return "inventory", "", "", {name: getattr(report, name) for name in report.__struct_fields__}
        case Heartbeat():
            return "heartbeat", "", "", {"uptimeSeconds": event.uptime_seconds, "agentVersion": event.agent_version}
    raise TypeError(f"{type(event).__name__} is no event")


def _note(found: Sorted, event: Event, at: datetime) -> None:
    if isinstance(event, Check):
        found.outcomes.append(CheckOutcome(event.name, event.instance or "", event.status, event.message or "", at))
    elif isinstance(event, Inventory):
        found.inventory = event.inventory
        found.agent_version = event.inventory.agent_version or found.agent_version
    elif isinstance(event, Heartbeat):
        found.agent_version = event.agent_version or found.agent_version


def _wrong_time(at: datetime, latest: datetime) -> str:
    return "observedAt: is in the future" if at > latest else "observedAt: is older than telemetry is kept"


def _all_storable(name: str, instance: str, body: Mapping[str, Any]) -> bool:
    return _storable(name) and _storable(instance) and all(_value_storable(each) for each in body.values())


def _value_storable(value: Any) -> bool:
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, dict):
        return all(_storable(key) and _storable(each) for key, each in value.items())
    return True


def _storable(text: str) -> bool:
    """Whether PostgreSQL takes the text: neither NUL nor half a surrogate pair."""
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _moved(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if by > timedelta() else datetime.min.replace(tzinfo=UTC)
