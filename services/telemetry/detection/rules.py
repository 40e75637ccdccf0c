"""When a condition begins, is raised, and is over.

Each series has a condition at most: a threshold on an instance of its metric, or a check on what it looks at. It begins
with the first value that is wrong, is raised once that has gone on for as long as its rule wants, and is over with the
first value that is right again (of a raised threshold: not beyond `clear_at`). What is not later than the last value
that was looked at says nothing. Time in which nothing was told does not count as lasting.

A batch is looked at as a whole: what is raised and over within it is told to nobody, nor is what is over and raised
again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from services.telemetry.edge_policies.merge import Check, Threshold

# What is older raises nothing: an agent that was cut off tells of things that may long be over.
RAISES_WITHIN = timedelta(minutes=10)
# A series of which an agent says nothing for so long, while it tells of others, is not there any more.
GONE_AFTER = timedelta(days=1)
# Of what should have been told meanwhile. Fewer may be late, or left out by an agent that has much to do.
_MISSED = 3
# Of one agent. More than this many things at once are one thing that goes wrong, or an agent that does.
MOST_CONDITIONS = 200

SEVERITIES = ("info", "warning", "high", "critical")
_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}

# Kind ("threshold" or "check"), name of the rule, instance.
Series = tuple[str, str, str]


class Sample(NamedTuple):
    """A value of a metric; `instance` is empty where there is only one."""

    name: str
    instance: str
    value: float
    at: datetime


class CheckOutcome(NamedTuple):
    """How a check went: `status` is ok, warning, critical or unknown."""

    name: str
    instance: str
    status: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now. `metric` is empty of a check, `value` None. `since` is the first of the values that
    were wrong in a row, `last_at` the latest, `failures` how many. `severity` is the worst since it was raised."""

    kind: str
    name: str
    instance: str
    metric: str
    is_raised: bool
    severity: str
    since: datetime
    last_at: datetime
    value: float | None
    failures: int
    raised_at: datetime | None

    @property
    def series(self) -> Series:
        return (self.kind, self.name, self.instance)


class Change(NamedTuple):
    """What a batch made of a series: `before` and `after` differ, None is no condition. `over_at`: when it was over, if
    it was. `outcome`: the last failure of a check."""

    before: Condition | None
    after: Condition | None
    over_at: datetime
    outcome: CheckOutcome | None = None

    @property
    def is_raised(self) -> bool:
        """Whether it is raised now, or has become worse than it was told to be."""
        if self.after is None or not self.after.is_raised:
            return False
        told = self.before.severity if self.before is not None and self.before.is_raised else None
        return told is None or is_worse(self.after.severity, told)

    @property
    def is_cleared(self) -> bool:
        return self.before is not None and self.before.is_raised and not (self.after and self.after.is_raised)


def is_worse(severity: str, other: str) -> bool:
    return _RANK[severity] > _RANK[other]


def wrong_series(
    by_metric: Mapping[str, Sequence[Threshold]],
    checks: Mapping[str, Check],
    samples: Iterable[Sample],
    outcomes: Iterable[CheckOutcome],
    now: datetime,
) -> dict[Series, None]:
    """The series of which something in the batch is wrong that could begin a condition, in their order. Runs over each
    sample of each batch, so it makes nothing of those that are right."""
    earliest = now - RAISES_WITHIN
    found: dict[Series, None] = {}
    for metric, instance, value, at in samples:
        for rule in by_metric.get(metric, ()):
            if (
                (value > rule.raise_at if rule.is_above else value < rule.raise_at)
                and at >= earliest
                and (rule.instance is None or rule.instance == instance)
            ):
                found["threshold", rule.name, instance] = None
    for outcome in outcomes:
        if outcome.status != "ok" and outcome.at >= earliest and outcome.name in checks:
            found["check", outcome.name, outcome.instance] = None
    return found


def changes(
    known: Sequence[Condition],
    wrong: Iterable[Series],
    by_metric: Mapping[str, Sequence[Threshold]],
    checks: Mapping[str, Check],
    samples: Sequence[Sample],
    outcomes: Sequence[CheckOutcome],
    now: datetime,
    *,
    every: timedelta,
    heard_before: datetime | None,
) -> list[Change]:
    """What a batch changes. `known` are the agent's conditions, `wrong` is what `wrong_series` found, `every` is how
    often the agent measures, `heard_before` when it was heard of last before this batch."""
    thresholds = {rule.name: rule for rules in by_metric.values() for rule in rules}
    ruled = {each.series: each for each in known if _has_rule(each, thresholds, checks)}
    found = [Change(each, None, now) for each in known if each.series not in ruled]
    # A series whose rule is about something else now begins anew with the next batch.
    taken = {each.series for each in known}
    begun = [each for each in wrong if each not in taken][: max(MOST_CONDITIONS - len(ruled), 0)]
    looked_at = [*ruled, *begun]
    measured = _samples_of(looked_at, by_metric, samples)
    made = _outcomes_of(looked_at, outcomes)
    found += [_after_samples(ruled.get(each), thresholds[each[1]], seen, now, every) for each, seen in measured.items()]
    found += [_after_outcomes(ruled.get(each), checks[each[1]], seen, now) for each, seen in made.items()]
    # By the agent's telling, since one that was cut off tells of what is long past first.
    latest = max((each.at for batch in (samples, outcomes) for each in batch), default=now)
    # One that was off tells of all that it has a little after its first batch.
    latest = min(latest, heard_before or now)
    found += [
        Change(condition, None, now)
        for series, condition in ruled.items()
        if not (measured.get(series) or made.get(series)) and _is_gone(condition, checks, latest)
    ]
    return [each for each in found if each.after != each.before]


def after_sample(
    known: Condition | None, rule: Threshold, sample: Sample, now: datetime, every: timedelta
) -> Condition | None:
    """What the condition of a threshold is after one more value. `every`: how often it is measured."""
    _, instance, value, at = sample
    if known is not None and at <= known.last_at:
        return known
    known = _going_on(known, at, every)
    limit = rule.clear_at if known is not None and known.is_raised else rule.raise_at
    if not (value > limit if rule.is_above else value < limit):
        return None
    seen = Condition("threshold", rule.name, instance, rule.metric, False, rule.severity, at, at, value, 1, None)
    lasting = at - (known.since if known else at)
    return _one_more(known, seen, now, is_due=lasting >= rule.lasting)


def after_outcome(known: Condition | None, rule: Check, outcome: CheckOutcome, now: datetime) -> Condition | None:
    """What the condition of a check is after it was made once more."""
    if known is not None and outcome.at <= known.last_at:
        return known
    known = _going_on(known, outcome.at, rule.every)
    if outcome.status == "ok":
        return None
    # What could not be made out is no outage, whatever the check is about.
    severity = rule.severity if outcome.status == "critical" else min(rule.severity, "warning", key=_RANK.__getitem__)
    seen = Condition("check", rule.name, outcome.instance, "", False, severity, outcome.at, outcome.at, None, 1, None)
    failures = (known.failures if known else 0) + 1
    return _one_more(known, seen, now, is_due=failures >= rule.failures)


def _going_on(known: Condition | None, at: datetime, every: timedelta) -> Condition | None:
    """The condition, unless it is not raised yet and nothing was told for so long that the machine was off meanwhile:
    then nobody knows that it has lasted."""
    if known is None or known.is_raised or at - known.last_at <= max(RAISES_WITHIN, _MISSED * every):
        return known
    return None


def _one_more(known: Condition | None, seen: Condition, now: datetime, *, is_due: bool) -> Condition | None:
    """`seen` is what the value would begin by itself."""
    is_recent = seen.last_at >= now - RAISES_WITHIN
    if known is None and not is_recent:
        return None
    if known is not None and known.is_raised:
        worst = max(known.severity, seen.severity, key=_RANK.__getitem__)
        return replace(known, severity=worst, last_at=seen.last_at, value=seen.value, failures=known.failures + 1)
    if known is not None:
        seen = replace(seen, since=known.since, failures=known.failures + 1)
    return replace(seen, is_raised=True, raised_at=seen.last_at) if is_due and is_recent else seen


def _has_rule(condition: Condition, thresholds: Mapping[str, Threshold], checks: Mapping[str, Check]) -> bool:
    if condition.kind == "check":
        return condition.name in checks
    rule = thresholds.get(condition.name)
    return rule is not None and rule.metric == condition.metric and rule.instance in (None, condition.instance)


def _samples_of(
    looked_at: Iterable[Series], by_metric: Mapping[str, Sequence[Threshold]], samples: Iterable[Sample]
) -> dict[Series, list[Sample]]:
    found: dict[Series, list[Sample]] = {each: [] for each in looked_at if each[0] == "threshold"}
    if found:
        for sample in samples:
            for rule in by_metric.get(sample.name, ()):
                seen = found.get(("threshold", rule.name, sample.instance))
                if seen is not None:
                    seen.append(sample)
    return found


def _outcomes_of(looked_at: Iterable[Series], outcomes: Iterable[CheckOutcome]) -> dict[Series, list[CheckOutcome]]:
    found: dict[Series, list[CheckOutcome]] = {each: [] for each in looked_at if each[0] == "check"}
    for outcome in outcomes:
        seen = found.get(("check", outcome.name, outcome.instance))
        if seen is not None:
            seen.append(outcome)
    return found


def _after_samples(
    before: Condition | None, rule: Threshold, samples: list[Sample], now: datetime, every: timedelta
) -> Change:
    after, over_at = before, now
    for sample in sorted(samples, key=_at):
        then, after = after, after_sample(after, rule, sample, now, every)
        if then is not None and after is None:
            over_at = sample.at
    return Change(before, after, over_at)


def _after_outcomes(before: Condition | None, rule: Check, outcomes: list[CheckOutcome], now: datetime) -> Change:
    after, over_at, failure = before, now, None
    for outcome in sorted(outcomes, key=_at):
        then, after = after, after_outcome(after, rule, outcome, now)
        if after is None:
            over_at = outcome.at if then is not None else over_at
        elif after is not then:
            failure = outcome
    return Change(before, after, over_at, failure)


def _at(seen: Sample | CheckOutcome) -> datetime:
    return seen.at


def _is_gone(condition: Condition, checks: Mapping[str, Check], latest: datetime) -> bool:
    pause = checks[condition.name].every if condition.kind == "check" else timedelta()
    return latest - condition.last_at > GONE_AFTER + pause
