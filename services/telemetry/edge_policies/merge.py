"""What holds for an agent: its own policy, its site's, its client's, the workspace's and the defaults, put together.
Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

COLLECTORS = ("cpu", "memory", "disk", "network", "host")
DEFAULTS: Mapping[str, Any] = {
    "send_seconds": 30,
    "metrics_seconds": 30,
    "inventory_seconds": 21_600,
    "offline_after_seconds": 120,
    "offline_alert_seconds": 60,
    "offline_alerts": True,
}
# As if there were a policy yet wider than the workspace's: they hold until one of their name says otherwise.
DEFAULT_THRESHOLDS: tuple[Mapping[str, Any], ...] = (
    {"name": "disk-space", "metric": "disk.used_percent", "operator": "above", "raise_at": 90.0, "clear_at": 85.0,
     "for_seconds": 0, "severity": "high"},
    {"name": "memory", "metric": "memory.used_percent", "operator": "above", "raise_at": 95.0, "clear_at": 90.0,
     "for_seconds": 300, "severity": "warning"},
    {"name": "cpu", "metric": "cpu.used_percent", "operator": "above", "raise_at": 95.0, "clear_at": 85.0,
     "for_seconds": 600, "severity": "warning"},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Threshold:
    """What of a metric is wrong; `instance` None: of each of its instances."""

    name: str
    metric: str
    instance: str | None
    is_above: bool
    raise_at: float
    clear_at: float
    lasting: timedelta
    severity: str


@dataclass(frozen=True, slots=True)
class Check:
    """What an agent looks at by itself; `failures` is how often in a row it fails before that is an alert."""

    name: str
    type: str
    target: str
    every: timedelta
    timeout: timedelta
    failures: int
    severity: str


@dataclass(frozen=True)
class Effective:
    """`values` has a value for each field of `DEFAULTS`; thresholds and checks are in the order of their names."""

    values: Mapping[str, Any]
    collectors: tuple[str, ...]
    thresholds: tuple[Threshold, ...]
    checks: tuple[Check, ...]


def merge(policies: Sequence[Mapping[str, Any]]) -> Effective:
    """`policies` are rows of the kind, the nearest scope first. Of each field the nearest value holds, of thresholds
    and checks the nearest one of each name; where that is disabled, there is none. An agent that sends seldom counts as
    silent only after twice that time."""
    values = {
        name: next((each[name] for each in policies if each[name] is not None), default)
        for name, default in DEFAULTS.items()
    }
    values["offline_after_seconds"] = max(values["offline_after_seconds"], 2 * values["send_seconds"])
    collectors = next((each["collectors"] for each in policies if each["collectors"]), COLLECTORS)
    thresholds = _nearest([*(each["thresholds"] for each in policies), DEFAULT_THRESHOLDS])
    checks = _nearest([each["checks"] for each in policies])
    return Effective(
        values=values,
        collectors=tuple(each for each in COLLECTORS if each in collectors),
        thresholds=tuple(map(_threshold, thresholds)),
        checks=tuple(map(_check, checks)),
    )


def _nearest(lists: Sequence[Iterable[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    by_name: dict[str, Mapping[str, Any]] = {}
    for items in reversed(lists):
        by_name |= {item["name"]: item for item in items}
    return [by_name[name] for name in sorted(by_name) if not by_name[name].get("disabled")]


def _threshold(said: Mapping[str, Any]) -> Threshold:
    return Threshold(
        name=said["name"],
        metric=said["metric"],
        instance=said.get("instance"),
        is_above=said["operator"] == "above",
        raise_at=said["raise_at"],
        clear_at=said.get("clear_at", said["raise_at"]),
        lasting=timedelta(seconds=said.get("for_seconds", 0)),
        severity=said.get("severity", "warning"),
    )


def _check(said: Mapping[str, Any]) -> Check:
    # 0 is what a caller sends who says nothing.
    return Check(
        name=said["name"],
        type=said["type"],
        target=said["target"],
        every=timedelta(seconds=said.get("every_seconds") or 60),
        timeout=timedelta(seconds=said.get("timeout_seconds") or 5),
        failures=said.get("failures_before_alert") or 2,
        severity=said.get("severity", "high"),
    )
