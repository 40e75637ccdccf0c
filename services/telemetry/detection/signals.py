"""What the world is told: conditions as events, in words that a technician can act on."""

from datetime import datetime
from hashlib import sha256

from opsfield.telemetry.v1.conditions_pb2 import ConditionCleared, ConditionLabel, ConditionRaised
from services.telemetry.agents.known import KnownAgent
from services.telemetry.detection.rules import Change, Condition, Series
from services.telemetry.edge_policies.merge import Check, Threshold

SOURCE = "edge-agent"
_LONGEST_FINGERPRINT = 128
_LONGEST_TITLE = 200
_LONGEST_LABEL = 500
_LONGEST_DESCRIPTION = 10_000
# Of a part of a title, so that each has its place there.
_LONGEST_PART = 50


def fingerprint(agent_id: str, series: Series) -> str:
    """The same for all signals of a condition; at most 128 characters."""
    kind, name, instance = series
    text = f"{agent_id}/{kind}/{name}/{instance}"
    if len(text) <= _LONGEST_FINGERPRINT:
        return text
    return f"{agent_id}/{kind}/{sha256(text.encode()).hexdigest()}"


def threshold_raised(agent: KnownAgent, condition: Condition, rule: Threshold) -> ConditionRaised:
    """That a metric is beyond its threshold."""
    where = f" of {condition.instance}" if condition.instance else ""
    side = "above" if rule.is_above else "below"
    value, limit = written(condition.value or 0.0), written(rule.raise_at)
    what = f"{_part(rule.metric)}{_part(where)} on {_part(agent.hostname)}"
    description = (
        f"{rule.metric}{where} on {agent.hostname} is {value}, {side} {limit}, since {_instant(condition.since)}. "
        f"It is over when it is no longer {side} {written(rule.clear_at)}."
    )
    labels = {"metric": rule.metric, "instance": condition.instance, "hostname": agent.hostname, "threshold": rule.name}
    return _raised(agent, condition, f"{what} is {value} ({side} {limit})", description, labels)


def check_raised(agent: KnownAgent, condition: Condition, rule: Check, change: Change) -> ConditionRaised:
    """That a check fails."""
    said = change.outcome.message if change.outcome else ""
    status = change.outcome.status if change.outcome else ""
    verb = "cannot be made" if status == "unknown" else "fails"
    where = f" ({condition.instance})" if condition.instance else ""
    description = (
        f"The {rule.type} check {rule.name}{where} of {rule.target} on {agent.hostname} has failed "
        f"{condition.failures} times in a row, since {_instant(condition.since)}."
    )
    labels = {
        "check": rule.name,
        "instance": condition.instance,
        "hostname": agent.hostname,
        "target": rule.target,
        "status": status,
    }
    title = f"Check {_part(rule.name)}{_part(where)} {verb} on {_part(agent.hostname)}"
    if said:
        title, description = f"{title}: {' '.join(said.split())}", f"{description}\n{said}"
    return _raised(agent, condition, title, description, labels)


def cleared(agent_id: str, series: Series, at: datetime) -> ConditionCleared:
    """That a condition is over."""
    return ConditionCleared(fingerprint=fingerprint(agent_id, series), observed_at=at)


def labels_of(values: dict[str, str]) -> list[ConditionLabel]:
    """Labels; those that are empty are left out."""
    return [ConditionLabel(name=name, value=_clipped(text, _LONGEST_LABEL)) for name, text in values.items() if text]


def written(value: float) -> str:
    """A number as a person reads it: 93.2, 1,500,000."""
    if abs(value) >= 1_000_000:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"
    return f"{round(value, 2):.8g}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"


def _raised(
    agent: KnownAgent, condition: Condition, title: str, description: str, labels: dict[str, str]
) -> ConditionRaised:
    return ConditionRaised(
        source=SOURCE,
        rule=condition.name,
        fingerprint=fingerprint(agent.id, condition.series),
        severity=condition.severity.upper(),
        title=_clipped(title, _LONGEST_TITLE),
        description=_clipped(description, _LONGEST_DESCRIPTION),
        agent_id=agent.id,
        hostname=agent.hostname,
        client_id=agent.client_id,
        labels=labels_of(labels),
        observed_at=condition.last_at,
    )


def _part(text: str) -> str:
    return _clipped(text, _LONGEST_PART)


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _instant(instant: datetime) -> str:
    return instant.isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")
