"""What counts of executions add up to."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MOST_AGENTS = 20
_FINAL = frozenset({"succeeded", "failed", "cancelled", "timed_out"})
# Somebody ended these.
_ENDED_BY_OTHERS = frozenset({"proposal_rejected", "cancelled_by_caller"})


@dataclass(frozen=True)
class AgentCounts:
    """Of the executions of one agent that have ended. `others`: cancelled or out of time."""

    agent: str
    succeeded: int
    failed: int
    others: int

    @property
    def total(self) -> int:
        return self.succeeded + self.failed + self.others


def by_status(counts: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """How many there are in each state."""
    found: Counter[str] = Counter()
    for each in counts:
        found[each["status"]] += each["count"]
    return found


def by_agent(counts: Iterable[Mapping[str, Any]]) -> list[AgentCounts]:
    """The agents with the most that have ended, most first."""
    found: dict[str, Counter[str]] = {}
    for each in counts:
        if each["status"] in _FINAL:
            found.setdefault(each["agent"], Counter())[each["status"]] += each["count"]
    agents = [
        AgentCounts(agent, ended["succeeded"], ended["failed"], ended["cancelled"] + ended["timed_out"])
        for agent, ended in found.items()
    ]
    return sorted(agents, key=lambda each: (-each.total, each.agent))[:MOST_AGENTS]


def success_rate(counts: Iterable[Mapping[str, Any]]) -> float | None:
    """Of those that ended by themselves, the share that succeeded; None when none has."""
    ended: Counter[str] = Counter()
    for each in counts:
        if each["status"] in _FINAL and each["failure_code"] not in _ENDED_BY_OTHERS:
            ended[each["status"]] += each["count"]
    return ended["succeeded"] / ended.total() if ended else None
