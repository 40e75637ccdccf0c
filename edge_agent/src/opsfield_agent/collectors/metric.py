"""The event that a measurement is."""

from typing import Any


def metric(name: str, value: float, instance: str | None = None) -> dict[str, Any]:
    """A metric, without its time."""
    event: dict[str, Any] = {"type": "metric", "name": name}
    if instance is not None:
        event["instance"] = instance[:500]
    event["value"] = round(value, 3)
    return event
