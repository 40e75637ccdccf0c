"""What is to be collected, and how often. The platform says it; until it does, the defaults hold."""

import contextlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsfield_agent import files
from opsfield_agent.log import one_line

log = logging.getLogger(__name__)

COLLECTORS = ("cpu", "memory", "disk", "network", "host")
CHECK_TYPES = ("tcp", "http", "process")
# A policy gone wrong must not make the agent a load.
SHORTEST_SECONDS = 1.0
_LONGEST_SECONDS = 7 * 24 * 3600.0
_CHECK_SECONDS = 60.0
_CHECK_TIMEOUT_SECONDS = 5.0
_MOST_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Check:
    """What to look at: `type` is one of CHECK_TYPES."""

    name: str
    type: str
    target: str
    every_seconds: float = _CHECK_SECONDS
    timeout_seconds: float = _CHECK_TIMEOUT_SECONDS


@dataclass(frozen=True)
class Policy:
    """The part of an effective policy that concerns the agent; thresholds are the platform's affair."""

    version: str | None = None
    send_seconds: float = 30.0
    metrics_seconds: float = 30.0
    inventory_seconds: float = 21600.0
    collectors: tuple[str, ...] = COLLECTORS
    checks: tuple[Check, ...] = ()


def parse(document: dict[str, Any]) -> tuple[Policy, list[str]]:
    """As much of a policy as can be understood, and a phrase about each part that cannot."""
    complaints: list[str] = []
    usual = Policy()
    version = document.get("version")
    policy = Policy(
        version=None if version is None else str(version),
        send_seconds=_seconds(document, "sendSeconds", usual.send_seconds, complaints),
        metrics_seconds=_seconds(document, "metricsSeconds", usual.metrics_seconds, complaints),
        inventory_seconds=_seconds(document, "inventorySeconds", usual.inventory_seconds, complaints),
        collectors=_collectors(document, complaints),
        checks=_checks(document, complaints),
    )
    return policy, complaints


class PolicyStore:
    """The policy that holds now, and its copy on disk for the next start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.current = Policy()
        self.etag: str | None = None

    def load(self) -> None:
        """Take the copy on disk, if there is one that can be read."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            kept = json.loads(self._path.read_bytes())
            self._apply(dict(kept["policy"]))
            self.etag = kept["etag"]

    def take(self, document: dict[str, Any], etag: str | None) -> None:
        """A new policy came: apply and keep it."""
        self._apply(document)
        self.etag = etag
        log.info("Policy %s holds now", self.current.version)
        try:
            files.write(self._path, json.dumps({"etag": etag, "policy": document}).encode())
        except OSError as error:
            log.warning("The policy could not be kept for the next start: %s", error)

    def _apply(self, document: dict[str, Any]) -> None:
        self.current, complaints = parse(document)
        for complaint in complaints:
            log.warning("Part of policy %s is not understood and left aside: %s", self.current.version, complaint)


def _seconds(
    fields: dict[str, Any], name: str, usual: float, complaints: list[str], most: float = _LONGEST_SECONDS
) -> float:
    value = fields.get(name)
    if value is None or value == 0:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        complaints.append(one_line(f"{name} {value!r}", 200))
        return usual
    return min(max(float(value), SHORTEST_SECONDS), most)


def _list(document: dict[str, Any], name: str, complaints: list[str]) -> list[Any]:
    value = document.get(name)
    if value is None or isinstance(value, list):
        return value or []
    complaints.append(one_line(f"{name} {value!r}", 200))
    return []


def _collectors(document: dict[str, Any], complaints: list[str]) -> tuple[str, ...]:
    named = _list(document, "collectors", complaints)
    complaints += [one_line(f"collector {each!r}", 200) for each in named if each not in COLLECTORS]
    # None named at all: everything.
    return tuple(each for each in COLLECTORS if each in named) if named else COLLECTORS


def _checks(document: dict[str, Any], complaints: list[str]) -> tuple[Check, ...]:
    checks: dict[str, Check] = {}
    for each in _list(document, "checks", complaints):
        check = _check(each, complaints)
        if check is None:
            complaints.append(one_line(f"check {each!r}", 200))
        elif not each.get("disabled"):
            checks[check.name] = check
    return tuple(checks.values())


def _check(fields: Any, complaints: list[str]) -> Check | None:
    if not isinstance(fields, dict) or fields.get("type") not in CHECK_TYPES:
        return None
    name, target = fields.get("name"), fields.get("target")
    if not isinstance(name, str) or not name or not isinstance(target, str) or not target:
        return None
    return Check(
        name,
        fields["type"],
        target,
        _seconds(fields, "everySeconds", _CHECK_SECONDS, complaints),
        _seconds(fields, "timeoutSeconds", _CHECK_TIMEOUT_SECONDS, complaints, _MOST_TIMEOUT_SECONDS),
    )
