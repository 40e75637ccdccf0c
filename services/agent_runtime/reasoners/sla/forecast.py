"""sla.forecast: which promises will be broken soon unless somebody does something. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from services.agent_runtime.reasoners import times
from services.agent_runtime.reasoners.evidence import evidence, rule
from services.agent_runtime.reasoners.reasoner import ProposedAction, Result
from services.agent_runtime.reasoners.sla.odds import (
    FIRST_RESPONSE,
    PRIORITIES,
    RESOLUTION,
    History,
    breaks,
    multiplied,
)

Row = dict[str, Any]

DEFAULT_HOURS = 8
# Of the ticket's fields, the one that says when a promise is due, and the one in its SLA that says how it stands.
_PROMISES = {FIRST_RESPONSE: ("firstResponseDueAt", "firstResponse"), RESOLUTION: ("resolutionDueAt", "resolution")}
_BANDS = ((0.6, "high"), (0.25, "medium"), (0.0, "low"))
_UNASSIGNED, _NOT_BEGUN, _BURDENED = 1.5, 1.3, 1.3
# So many times what the others have.
_HEAVY = 1.5
_MOST_TOLD = 200
_MOST_COMMENTS = 20
_NOT_BEGUN_IN = ("new", "open")


@dataclass(frozen=True)
class _Risk:
    ticket: Row
    promise: str
    due: datetime
    left: timedelta
    probability: float
    band: str
    reasons: list[str]


def reason(input_: Row, data: Row) -> Result:
    """`data`: now, open (tickets that are not done), solved (those done last)."""
    now = times.instant(data["now"]) or datetime.fromtimestamp(0, UTC)
    until = now + timedelta(hours=input_.get("hours", DEFAULT_HOURS))
    history, load = History.of(data["solved"]), Counter(each["assigneeId"] for each in data["open"])
    risks = [
        _risk(ticket, promise, due, now, history, load)
        for ticket in data["open"]
        for promise, due in _due(ticket)
        if due <= until
    ]
    # What can still be kept stands before what is broken already.
    risks.sort(
        key=lambda risk: (risk.band == "overdue", -risk.probability, risk.due, str(risk.ticket["id"]), risk.promise)
    )
    paused = [told for ticket in data["open"] for told in _paused(ticket)]
    output = {
        "asOf": times.written(now),
        "until": times.written(until),
        "openTickets": len(data["open"]),
        "dueSoon": len(risks),
        "counts": {band: sum(risk.band == band for risk in risks) for band in ("overdue", "high", "medium", "low")},
        "risks": [_told(risk) for risk in risks[:_MOST_TOLD]],
        "paused": paused[:_MOST_TOLD],
        "load": _load(load, risks),
        "history": [_history(history, priority) for priority in PRIORITIES],
    }
    rules = [
        rule(f"{risk.ticket['number']} {risk.promise}", risk.probability, " ".join(risk.reasons))
        for risk in risks[:_MOST_TOLD]
    ]
    looked_at = evidence(rules, tickets=[*data["open"], *data["solved"]])
    return Result(output, looked_at, tuple(_proposals(risks)))


def _due(ticket: Row) -> Iterable[tuple[str, datetime]]:
    """What is due of a ticket and when; nothing while its clock stands still, or once the breach is told."""
    for promise, (field, _) in _PROMISES.items():
        due = times.instant(ticket[field])
        if due is not None:
            yield promise, due


def _risk(ticket: Row, promise: str, due: datetime, now: datetime, history: History, load: Mapping[Any, int]) -> _Risk:
    left = due - now
    if left <= timedelta(0):
        late = f"Was due {times.in_words(left)} ago."
        return _Risk(ticket, promise, due, left, 1.0, "overdue", [late, *_hindrances(ticket, load, {})])
    spans, whose = history.of_priority(promise, str(ticket["priority"]))
    began = times.instant(ticket["createdAt"]) or now
    probability = breaks(spans, lasted=max(now - began, timedelta(0)), may=due - began)
    what = "first answer" if promise == FIRST_RESPONSE else "solution"
    reasons = [f"Due in {times.in_words(left)}."]
    if spans:
        kind = f"{whose} tickets" if whose != "all" else "tickets of all priorities"
        reasons.append(f"By {len(spans)} solved {kind}, the {what} takes longer with {probability:.0%} probability.")
    else:
        reasons.append("There are no solved tickets to go by.")
    factors = dict[str, float]()
    reasons += _hindrances(ticket, load, factors)
    for factor in factors.values():
        probability = multiplied(probability, factor)
    band = next(name for least, name in _BANDS if probability >= least)
    return _Risk(ticket, promise, due, left, probability, band, reasons)


def _hindrances(ticket: Row, load: Mapping[Any, int], factors: dict[str, float]) -> list[str]:
    """What makes it likelier, in sentences; by how much goes into `factors`."""
    reasons, assignee = [], ticket["assigneeId"]
    if assignee is None:
        factors["unassigned"] = _UNASSIGNED
        reasons.append("Nobody is assigned.")
    else:
        usual = median([count for name, count in load.items() if name is not None])
        if load[assignee] > _HEAVY * usual:
            factors["burdened"] = _BURDENED
            reasons.append(f"{assignee} has {load[assignee]} open tickets, others have {usual:g}.")
    if ticket["status"] in _NOT_BEGUN_IN:
        factors["not begun"] = _NOT_BEGUN
        reasons.append(f"It is still {ticket['status']}.")
    return reasons


def _paused(ticket: Row) -> Iterable[Row]:
    for promise, (_, field) in _PROMISES.items():
        target = (ticket["sla"] or {}).get(field) or {}
        if target.get("state") == "paused":
            minutes = target.get("targetMinutes")
            yield {
                "ticketId": ticket["id"],
                "number": ticket["number"] or "",
                "promise": promise,
                "status": ticket["status"] or "",
                "businessMinutesLeft": None if minutes is None else max(0, minutes - (target["consumedMinutes"] or 0)),
            }


def _proposals(risks: list[_Risk]) -> Iterable[ProposedAction]:
    told = set[str]()
    for risk in risks:
        ticket = risk.ticket
        if risk.band != "high" or ticket["id"] in told or len(told) == _MOST_COMMENTS:
            continue
        told.add(ticket["id"])
        what = "first response" if risk.promise == FIRST_RESPONSE else "resolution"
        body = f"The {what} is at risk ({risk.probability:.0%}). {' '.join(risk.reasons)}"
        yield ProposedAction(
            "comment_ticket",
            {"id": ticket["id"], "body": body, "visibility": "internal"},
            f"Warn on {ticket['number']}: the {what} due {times.written(risk.due)} is {risk.probability:.0%} at risk.",
        )


def _told(risk: _Risk) -> Row:
    ticket = risk.ticket
    return {
        "ticketId": ticket["id"],
        "number": ticket["number"] or "",
        "subject": ticket["subject"] or "",
        "clientId": ticket["clientId"],
        "priority": ticket["priority"],
        "status": ticket["status"] or "",
        "assigneeId": ticket["assigneeId"],
        "promise": risk.promise,
        "dueAt": times.written(risk.due),
        "minutesLeft": times.minutes(risk.left),
        "probability": round(risk.probability, 2),
        "band": risk.band,
        "reasons": risk.reasons,
    }


def _load(load: Mapping[Any, int], risks: list[_Risk]) -> list[Row]:
    due = Counter(risk.ticket["assigneeId"] for risk in risks)
    ordered = sorted(load, key=lambda name: (-load[name], str(name)))
    return [{"assigneeId": name, "openTickets": load[name], "dueSoon": due[name]} for name in ordered]


def _history(history: History, priority: str) -> Row:
    return {
        "priority": priority,
        "solved": len(history.minutes.get((RESOLUTION, priority), ())),
        "medianMinutes": history.median(RESOLUTION, priority),
        "ninthDecileMinutes": history.ninth_decile(RESOLUTION, priority),
    }
