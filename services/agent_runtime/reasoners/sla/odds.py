"""How likely a promise is to be broken, by how long it took before. Pure.

Of the tickets that took at least as long as this one has lasted already, the share that took longer than it may: the
conditional survival of the empirical distribution, smoothed (Laplace) so that few cases say nothing for certain. Spans
are on the wall clock, nights and waiting included, on both sides of the comparison.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median_low
from typing import Any

from services.agent_runtime.reasoners import times

Row = dict[str, Any]
FIRST_RESPONSE, RESOLUTION = "first_response", "resolution"
# Where each promise is kept.
KEPT = {FIRST_RESPONSE: "firstRespondedAt", RESOLUTION: "resolvedAt"}
PRIORITIES = ("critical", "high", "medium", "low")
# With fewer of a priority, all priorities are looked at together.
_ENOUGH = 5
_ALL = "all"


@dataclass(frozen=True)
class History:
    """Minutes that it took, in ascending order, by promise and priority."""

    minutes: Mapping[tuple[str, str], Sequence[int]]

    @classmethod
    def of(cls, solved: Iterable[Row]) -> "History":
        spans = defaultdict[tuple[str, str], list[int]](list)
        for ticket in solved:
            for promise, field in KEPT.items():
                began, kept = times.instant(ticket["createdAt"]), times.instant(ticket[field])
                if began is not None and kept is not None and kept >= began:
                    spans[promise, str(ticket["priority"])].append(times.minutes(kept - began))
                    spans[promise, _ALL].append(times.minutes(kept - began))
        return cls({key: sorted(found) for key, found in spans.items()})

    def of_priority(self, promise: str, priority: str) -> tuple[Sequence[int], str]:
        """The minutes to compare with, and whose they are: the priority's, or "all"."""
        own = self.minutes.get((promise, priority), ())
        return (own, priority) if len(own) >= _ENOUGH else (self.minutes.get((promise, _ALL), ()), _ALL)

    def median(self, promise: str, priority: str) -> int | None:
        found = self.minutes.get((promise, priority), ())
        return median_low(found) if found else None

    def ninth_decile(self, promise: str, priority: str) -> int | None:
        """Nine of ten took no longer."""
        found = self.minutes.get((promise, priority), ())
        return found[(len(found) * 9 - 1) // 10] if found else None


def breaks(spans: Sequence[int], *, lasted: timedelta, may: timedelta) -> float:
    """How likely it takes longer than it `may`, after it has `lasted` so long; `spans` in ascending order."""
    still_open = len(spans) - bisect_right(spans, times.minutes(lasted))
    too_late = len(spans) - bisect_right(spans, times.minutes(may))
    return (too_late + 1) / (still_open + 2)


def multiplied(probability: float, factor: float) -> float:
    """The probability whose odds are `factor` times as high; between 0.01 and 0.99."""
    odds = probability / (1 - probability) * factor if probability < 1 else 99.0
    return min(0.99, max(0.01, odds / (1 + odds)))
