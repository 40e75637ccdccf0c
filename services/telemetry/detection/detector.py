"""A batch's samples and outcomes against the agent's policy.

Most batches are harmless: when nothing is wrong in one, and nothing was before, the database is not touched. A
condition is told once when it is raised, once more if it becomes worse, and once when it is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from kit.unit_of_work import UnitOfWork
from services.telemetry.agents.known import KnownAgent
from services.telemetry.detection import rules, signals, store
from services.telemetry.detection.rules import Change, CheckOutcome, Condition, Sample
from services.telemetry.edge_policies.effective import Policy
from services.telemetry.edge_policies.merge import Threshold


@dataclass(frozen=True)
class Standing:
    """How many conditions an agent has, and how many of them are raised: what its row is to say."""

    watched: int
    conditions: int


async def detect(
    work: UnitOfWork,
    agent: KnownAgent,
    policy: Policy,
    samples: Sequence[Sample],
    outcomes: Sequence[CheckOutcome],
) -> Standing:
    """Take in what a batch says: conditions are raised and cleared. `samples` are those of metrics that the policy has
    thresholds for, in any order and of any age. The agent's row is locked by the caller, who writes the standing to
    it."""
    wrong = rules.wrong_series(policy.by_metric, policy.checks, samples, outcomes, work.now)
    if not wrong and not agent.watched:
        return Standing(0, 0)
    known = await store.of_agent(work, agent.id)
    changes = rules.changes(
        known,
        wrong,
        policy.by_metric,
        policy.checks,
        samples,
        outcomes,
        work.now,
        every=timedelta(seconds=policy.message.metrics_seconds),
        heard_before=agent.last_seen_at,
    )
    for change in changes:
        _tell(work, agent, policy, change)
    return await _write(work, agent, known, changes)


async def withdraw(work: UnitOfWork, agent: KnownAgent) -> Standing:
    """Clear all conditions of an agent that is watched no longer; its row is locked by the caller."""
    if not agent.watched:
        return Standing(0, 0)
    known = await store.of_agent(work, agent.id)
    changes = [Change(each, None, work.now) for each in known]
    for change in changes:
        _tell_cleared(work, agent, change)
    return await _write(work, agent, known, changes)


async def _write(
    work: UnitOfWork, agent: KnownAgent, known: Sequence[Condition], changes: Sequence[Change]
) -> Standing:
    standing = {each.series: each for each in known}
    over = [each.before.series for each in changes if each.before is not None and each.after is None]
    other = [each.after for each in changes if each.after is not None]
    if over:
        await store.forget(work, agent.id, over)
    if other:
        await store.keep(work, agent.id, other)
    for series in over:
        del standing[series]
    standing |= {each.series: each for each in other}
    return Standing(len(standing), sum(each.is_raised for each in standing.values()))


def _tell(work: UnitOfWork, agent: KnownAgent, policy: Policy, change: Change) -> None:
    condition = change.after
    if condition is None or not change.is_raised:
        _tell_cleared(work, agent, change)
        return
    if condition.kind == "check":
        message = signals.check_raised(agent, condition, policy.checks[condition.name], change)
    else:
        message = signals.threshold_raised(agent, condition, _threshold(policy, condition))
    work.emit(message, key=message.fingerprint)


def _tell_cleared(work: UnitOfWork, agent: KnownAgent, change: Change) -> None:
    if change.before is not None and change.is_cleared:
        message = signals.cleared(agent.id, change.before.series, change.over_at)
        work.emit(message, key=message.fingerprint)


def _threshold(policy: Policy, condition: Condition) -> Threshold:
    return next(each for each in policy.by_metric[condition.metric] if each.name == condition.name)
