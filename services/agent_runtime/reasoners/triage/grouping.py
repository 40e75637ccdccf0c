"""Alerts that belong together: close in time, and at the same place or by the same rule. Pure.

Two alerts of one client are linked when what they share weighs enough; groups are what links connect, as long as a
group does not last too long. Alerts of several clients are linked by one rule only, and only when there are many of
them at once: then something that they share is down.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from statistics import fmean
from typing import Any

from services.agent_runtime.reasoners import times

Row = dict[str, Any]

LINKED = 0.6
_LONGEST = timedelta(hours=2)
_SAME_ASSET, _SAME_SITE, _SAME_CLIENT = 0.5, 0.35, 0.2
_SAME_RULE = 0.3
_CLOSE = ((timedelta(minutes=5), 0.35), (timedelta(minutes=15), 0.25), (timedelta(hours=1), 0.1))
# What telemetry says when most agents of a site or a client fall silent at once, and what it says of one.
_MASS, _SILENT = "mass-offline", ("offline", "mass-offline")
_MASS_REACH = timedelta(hours=1)
_ACROSS_CLIENTS, _ACROSS_SPAN, _ACROSS_SCORE = 3, timedelta(minutes=10), 0.7


@dataclass(frozen=True)
class Group:
    """Alerts, the earliest first; `score` (0 to 1): how sure it is that they are one; why."""

    alerts: list[Row]
    score: float
    reasons: list[str]


@dataclass(frozen=True)
class _Link:
    score: float
    one: int
    other: int
    reason: str


def groups_of(alerts: Sequence[Row], sites: Mapping[str, str | None]) -> list[Group]:
    """The groups of two and more; the largest first. `sites`: by asset."""
    ordered = sorted(alerts, key=_order)
    links = sorted(_links(ordered, sites), key=lambda link: (-link.score, link.one, link.other))
    clusters = _Clusters(ordered)
    holding = [link for link in links if clusters.join(link.one, link.other)]
    scores, reasons = defaultdict[int, list[float]](list), defaultdict[int, dict[str, None]](dict)
    for link in holding:
        root = clusters.root(link.one)
        scores[root].append(link.score)
        reasons[root][link.reason] = None
    groups = []
    for root, members in clusters.groups():
        if len(members) > 1:
            groups.append(
                Group([ordered[each] for each in members], min(1.0, fmean(scores[root])), list(reasons[root]))
            )
    return sorted(groups, key=lambda group: (-len(group.alerts), -group.score, _order(group.alerts[0])))


def _links(alerts: Sequence[Row], sites: Mapping[str, str | None]) -> Iterable[_Link]:
    for one, other in combinations(range(len(alerts)), 2):
        link = _link(alerts[one], alerts[other], sites)
        if link is not None and link[0] >= LINKED:
            yield _Link(link[0], one, other, link[1])
    yield from _across_clients(alerts)


def _link(one: Row, other: Row, sites: Mapping[str, str | None]) -> tuple[float, str] | None:
    began, then = _began(one), _began(other)
    if began is None or then is None or one["clientId"] is None or one["clientId"] != other["clientId"]:
        return None
    apart = abs(then - began)
    if _MASS in (one["rule"], other["rule"]) and one["rule"] in _SILENT and other["rule"] in _SILENT:
        return (0.95, "Most agents there fell silent at once.") if apart <= _MASS_REACH else None
    closeness = next((weight for span, weight in _CLOSE if apart <= span), None)
    if closeness is None:
        return None
    place, where = _place(one, other, sites)
    rule = _SAME_RULE if one["rule"] and one["rule"] == other["rule"] else 0.0
    what = f", by the rule {one['rule']}" if rule else ""
    near = next(span for span, _ in _CLOSE if apart <= span)
    return place + closeness + rule, f"Within {times.in_words(near)} {where}{what}."


def _place(one: Row, other: Row, sites: Mapping[str, str | None]) -> tuple[float, str]:
    if one["assetId"] and one["assetId"] == other["assetId"]:
        return _SAME_ASSET, "on the same asset"
    site = sites.get(one["assetId"] or "")
    if site and site == sites.get(other["assetId"] or ""):
        return _SAME_SITE, "at the same site"
    return _SAME_CLIENT, "at the same client"


def _across_clients(alerts: Sequence[Row]) -> Iterable[_Link]:
    by_rule = defaultdict[tuple[str, str], list[tuple[datetime, int]]](list)
    for index, alert in enumerate(alerts):
        began = _began(alert)
        if alert["rule"] and alert["clientId"] and began is not None:
            by_rule[str(alert["source"]), alert["rule"]].append((began, index))
    for (_, rule), found in sorted(by_rule.items()):
        found.sort()
        for start, (began, first) in enumerate(found):
            window = [index for at, index in found[start:] if at - began <= _ACROSS_SPAN]
            clients = len({alerts[index]["clientId"] for index in window})
            if clients >= _ACROSS_CLIENTS:
                reason = f"The rule {rule} at several clients within {times.in_words(_ACROSS_SPAN)}: a shared cause."
                yield from (_Link(_ACROSS_SCORE, first, index, reason) for index in window if index != first)


class _Clusters:
    """Which alerts are connected (union-find); none spans more than the longest time that a group may last."""

    def __init__(self, alerts: Sequence[Row]) -> None:
        self._parents = list(range(len(alerts)))
        begun = [_began(each) for each in alerts]
        self._spans = [(at, at) for at in begun]

    def root(self, index: int) -> int:
        while self._parents[index] != index:
            self._parents[index] = index = self._parents[self._parents[index]]
        return index

    def join(self, one: int, other: int) -> bool:
        """Connect two, unless that makes too long a group; whether they are connected now."""
        first, second = sorted((self.root(one), self.root(other)))
        if first == second:
            return True
        times_ = [at for span in (self._spans[first], self._spans[second]) for at in span if at is not None]
        if times_ and max(times_) - min(times_) > _LONGEST:
            return False
        self._parents[second] = first
        self._spans[first] = (min(times_), max(times_)) if times_ else (None, None)
        return True

    def groups(self) -> Iterable[tuple[int, list[int]]]:
        """By root, the members in order."""
        members = defaultdict[int, list[int]](list)
        for index in range(len(self._parents)):
            members[self.root(index)].append(index)
        return members.items()


def _began(alert: Row) -> datetime | None:
    return times.instant(alert["firstSeenAt"])


def _order(alert: Row) -> tuple[str, str]:
    began = _began(alert)
    return (times.written(began) if began else "~", str(alert["id"]))
