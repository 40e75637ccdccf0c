"""What a ticket's words, its links and its like say of category, priority and tier. Pure."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median_low
from typing import Any

from services.agent_runtime.reasoners.cues import Found, found, quoted
from services.agent_runtime.reasoners.text import counted, shortened
from services.agent_runtime.reasoners.triage.similar import Similar
from services.agent_runtime.reasoners.triage.words import (
    AREAS,
    SECURITY_INCIDENT,
    SERVICES,
    SEVERAL,
    URGENCY,
    WIDE,
    Area,
)

Row = dict[str, Any]

PRIORITIES = ("low", "medium", "high", "critical")
# As ITIL has it: how many are hindered, by how much it hurries. One person who asks for nothing urgent is still served.
_MATRIX = {
    ("wide", "high"): "critical",
    ("wide", "medium"): "high",
    ("wide", "low"): "medium",
    ("several", "high"): "high",
    ("several", "medium"): "medium",
    ("several", "low"): "low",
    ("one", "high"): "high",
    ("one", "medium"): "medium",
    ("one", "low"): "low",
}
# So much says that it hurries; so little that it does not.
_URGENT, _UNHURRIED = 3.0, -1.0
_NAMES_PEOPLE = re.compile(r"\b([0-9]{1,4})\s+(?:users|people|colleagues|employees|staff|workstations|pcs|machines)\b")
_SEVERAL_PEOPLE = 2
_SHARED_TYPES = {"server", "network_device", "virtual_machine", "cloud_resource"}
# A vote for "something else": what is said once and weakly does not count as certain.
_DOUBT = 0.5
_FULL_WORDS = 4.0
# A model is believed no more than that, however sure it says that it is.
MOST_BELIEVED = 0.85
_LONGEST_WHY = 300


@dataclass(frozen=True)
class Judgement:
    """A value with how sure it is (0 to 1) and why; None: nothing tells."""

    value: Any
    confidence: float
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Impact:
    """Who is hindered ("wide", "several", "one"), how much it hurries ("high", "medium", "low"), and what was found
    that says so. `strength`: the weight of all of it."""

    level: str
    urgency: str
    people: int | None
    services: list[str]
    strength: float
    reasons: list[str]


def category_of(ticket: Row, similar: Sequence[Similar], known: Sequence[str]) -> tuple[Judgement, Area | None]:
    """The category in the provider's own words (`known`: those in use), and the area that the words point to."""
    by_area = {area.name: found(area.cues, ticket["subject"], ticket["description"]) for area in AREAS}
    points = {name: sum(hit.weight for hit in hits) for name, hits in by_area.items() if hits}
    votes, reasons = defaultdict[str, float](float), dict[str, list[str]]()
    strength = min(1.0, max(points.values(), default=0.0) / _FULL_WORDS)
    for area in AREAS:
        name = _as_called(area, known)
        if area.name in points and name is not None:
            votes[name] += strength * points[area.name] / sum(points.values())
            reasons.setdefault(name, []).append(f"Words that say so: {quoted(by_area[area.name])}.")
    alike = [one for one in similar if one.ticket["category"]]
    total = sum(one.weight for one in alike)
    for one in alike:
        votes[one.ticket["category"]] += min(1.0, total) * one.weight / total
    for name in votes:
        same = [one for one in alike if one.ticket["category"] == name]
        if same:
            numbers = ", ".join(str(one.ticket["number"]) for one in same[:3])
            reasons.setdefault(name, []).append(f"Solved tickets like it had this category: {numbers}.")
    top_area = max(AREAS, key=lambda area: points.get(area.name, 0.0)) if points else None
    if not votes:
        return Judgement(None, 0.0, ["Neither its words nor solved tickets tell what it is about."]), top_area
    best = min(votes, key=lambda name: (-votes[name], name))
    return Judgement(best, votes[best] / (sum(votes.values()) + _DOUBT), reasons[best]), top_area


def impact_of(ticket: Row, assets: Sequence[Row], alerts: Sequence[Row], contact: Row | None) -> Impact:
    """Who is hindered and how much it hurries."""
    subject, description = ticket["subject"], ticket["description"]
    wide, several = found(WIDE, subject, description), found(SEVERAL, subject, description)
    urgency = found(URGENCY, subject, description)
    hurry = sum(hit.weight for hit in urgency)
    reasons = [f"How it hurries: {quoted(urgency)}."] if urgency else []
    people = _people(subject, description)
    level, strength = _level(wide, several, people, reasons)
    shared = [asset for asset in assets if asset["type"] in _SHARED_TYPES]
    if shared and level == "one":
        level, strength = "several", strength + 1.5
        reasons.append(f"It is about what many use: {', '.join(str(asset['name']) for asset in shared[:3])}.")
    for severity, weight in (("critical", 3.0), ("high", 1.5)):
        if any(alert["severity"] == severity for alert in alerts):
            hurry, strength = hurry + weight, strength + weight
            reasons.append(f"An alert that it answers is {severity}.")
            break
    if contact and contact["isImportant"]:
        hurry, strength = hurry + 1.0, strength + 0.5
        reasons.append(f"{contact['name']} is to be served first.")
    pace = "high" if hurry >= _URGENT else "low" if hurry <= _UNHURRIED else "medium"
    strength += sum(abs(hit.weight) for hit in urgency)
    services = list(dict.fromkeys(SERVICES[hit.phrase] for hit in _service_words(ticket)))
    return Impact(level, pace, people, services, strength, reasons)


def priority_of(ticket: Row, impact: Impact, similar: Sequence[Similar]) -> Judgement:
    """The priority that follows from impact and urgency; solved tickets like it make it surer or less sure."""
    value = _MATRIX[impact.level, impact.urgency]
    reasons = [f"Hindered: {impact.level}; it hurries: {impact.urgency}.", *impact.reasons]
    strength = impact.strength
    if security := found(SECURITY_INCIDENT, ticket["subject"], ticket["description"]):
        strength += sum(hit.weight for hit in security)
        reasons.append(f"The harm of what may be an attack grows: {quoted(security)}.")
        value = max(value, "high", key=PRIORITIES.index)
    confidence = strength / (strength + 2.0)
    alike = [one for one in similar if one.ticket["priority"] in PRIORITIES]
    if alike:
        agreeing = sum(one.weight for one in alike if one.ticket["priority"] == value)
        total = sum(one.weight for one in alike)
        confidence = (confidence + min(1.0, total) * agreeing / total) / (1.0 + min(1.0, total))
        reasons.append(
            f"Of {counted(len(alike), 'solved ticket')} like it, weighted, {agreeing / total:.0%} were {value}."
        )
    return Judgement(value, confidence, reasons)


def tier_of(area: Area | None, impact: Impact, priority: Judgement, similar: Sequence[Similar]) -> Judgement:
    """The level of support that usually solves it."""
    tier, confidence, reasons = 1, 0.3, []
    if area is not None:
        tier, confidence = area.tier, 0.5
        reasons.append(f"{area.name} is usually for level {area.tier}.")
    tiers = [one.ticket["tier"] for one in similar if isinstance(one.ticket["tier"], int)]
    if tiers:
        usual = min(3, max(1, median_low(tiers)))
        confidence = 0.8 if usual >= tier else 0.5
        tier = max(tier, usual)
        reasons.append(f"Solved tickets like it were at level {usual}.")
    if impact.level == "wide" and priority.value == "critical":
        tier, confidence = max(tier, 2), max(confidence, 0.7)
        reasons.append("Work has stopped for all: not for level 1.")
    return Judgement(tier, confidence, reasons or ["Nothing speaks for more than level 1."])


def weighed(judged: Judgement, value: Any, confidence: float, why: str) -> Judgement:
    """What the rules judge, beside what a model says: they make each other surer, or the surer one less sure."""
    sure = min(confidence, MOST_BELIEVED)
    said = f"A model judged so ({sure:.0%}): {shortened(why, _LONGEST_WHY)}"
    if value == judged.value:
        return Judgement(value, 1 - (1 - judged.confidence) * (1 - sure), [*judged.reasons, said])
    if sure > judged.confidence:
        rules = f"The rules alone say {judged.value} ({judged.confidence:.0%})."
        return Judgement(value, sure * (1 - judged.confidence / 2), [said, rules])
    otherwise = f"A model judged {value} ({sure:.0%}): {shortened(why, _LONGEST_WHY)}"
    return Judgement(judged.value, judged.confidence * (1 - sure / 2), [*judged.reasons, otherwise])


def is_security_incident(ticket: Row) -> bool:
    """Whether its words tell of an attack."""
    return bool(found(SECURITY_INCIDENT, ticket["subject"], ticket["description"]))


def _as_called(area: Area, known: Sequence[str]) -> str | None:
    """The area by the provider's name for it; None where the provider has categories, but none for it."""
    names = {name.casefold() for name in area.names}
    called = next((each for each in known if each.casefold() in names), None)
    return called if called is not None or known else area.name


def _level(wide: list[Found], several: list[Found], people: int | None, reasons: list[str]) -> tuple[str, float]:
    if wide:
        reasons.append(f"All are hindered: {quoted(wide)}.")
        return "wide", sum(hit.weight for hit in wide)
    if several or (people or 0) >= _SEVERAL_PEOPLE:
        reasons.append(f"Several are hindered: {quoted(several) or f'{people} people are named'}.")
        return "several", sum(hit.weight for hit in several) + (2.0 if people else 0.0)
    return "one", 0.0


def _people(subject: object, description: object) -> int | None:
    match = _NAMES_PEOPLE.search(f"{subject or ''} {description or ''}".lower())
    return int(match[1]) if match else None


def _service_words(ticket: Row) -> list[Found]:
    return found(dict.fromkeys(SERVICES, 1.0), ticket["subject"], ticket["description"])
