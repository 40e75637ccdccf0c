"""The SLA clock of one ticket. Pure.

What is kept is the ticket's history: the spans of time it spent in each status. Everything else follows from it and
from the terms of the policy: a target's consumed time is the business time of the spans in which the clock ran, and it
is due when the rest of its budget, counted from now, is used up. So a change of priority or policy needs no repair of
counters, a reopened ticket has what it had consumed, and the time it was resolved counts for nothing.

A breach, once recorded, stays. Rows are those of the kind `tickets`; times in its lists are ISO 8601 texts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.ops.service_desk.sla.business_time import Calendar, add, consumed

TARGETS = ("first_response", "resolution")
# In these nothing is owed, whatever the policy says.
DONE = frozenset({"resolved", "closed"})

Row = dict[str, Any]


@dataclass(frozen=True)
class Terms:
    """What a version of a policy promises. `minutes`: priority to the budget of each target that has one."""

    policy_id: str
    policy_name: str
    policy_version: int
    calendar: Calendar
    minutes: Mapping[str, Mapping[str, int]]
    pauses: frozenset[str]
    warn_percent: int

    def runs_in(self, status: str) -> bool:
        """Whether the clock runs while a ticket is in a status."""
        return status not in DONE and status not in self.pauses


def follow_status(ticket: Row, now: datetime) -> None:
    """Bring the history up to the ticket's status: the last span ends and one begins, unless it is the same."""
    spans = ticket["status_spans"]
    if spans and spans[-1]["status"] == ticket["status"]:
        return
    ended = [*spans[:-1], {**spans[-1], "ended_at": now.isoformat()}] if spans else []
    ticket["status_spans"] = [*ended, {"status": ticket["status"], "started_at": now.isoformat()}]


def note_breaches(ticket: Row, now: datetime) -> None:
    """Record the breach of each target whose due time has come, at its due time. To be called before anything else
    about the ticket changes, since what it is then due by no longer says so."""
    for target in TARGETS:
        due = ticket[f"{target}_due_at"]
        if due is not None and due <= now and ticket[f"{target}_breached_at"] is None:
            ticket[f"{target}_breached_at"] = due


def assess(ticket: Row, terms: Terms | None, now: datetime) -> None:
    """Work out `sla` and the due times anew, from the history; None: nothing is promised."""
    if terms is None:
        ticket["sla"] = None
        for target in TARGETS:
            ticket[f"{target}_due_at"] = None
        return
    targets = {target: _assess_target(ticket, target, terms, now) for target in TARGETS}
    ticket["sla"] = {
        "policy_id": terms.policy_id,
        "policy_name": terms.policy_name,
        "policy_version": terms.policy_version,
        "time_zone": terms.calendar.time_zone,
        "as_of": now.isoformat(),
        **targets,
    }


def intervals(ticket: Row, terms: Terms, now: datetime) -> Iterable[Row]:
    """The ticket's history as the clock sees it: per span its business minutes, and why they count or not."""
    for status, started, ended in _spans(ticket):
        counts = terms.runs_in(status)
        spent = consumed(terms.calendar, started, ended or now) if counts else timedelta(0)
        yield {
            "status": status,
            "started_at": started,
            "ended_at": ended,
            "runs": counts,
            "business_minutes": _minutes(spent),
            "reason": _reason(status, terms),
        }


def consumed_until(ticket: Row, terms: Terms, until: datetime) -> timedelta:
    """The business time for which the clock ran up to an instant."""
    total = timedelta(0)
    for status, started, ended in _spans(ticket):
        if terms.runs_in(status):
            total += consumed(terms.calendar, started, min(ended or until, until))
    return total


def _assess_target(ticket: Row, target: str, terms: Terms, now: datetime) -> Row:
    minutes = terms.minutes.get(ticket["priority"], {}).get(target)
    met_at, breached_at = _met_at(ticket, target), ticket[f"{target}_breached_at"]
    spent = consumed_until(ticket, terms, met_at or now)
    due_at = warn_at = None
    if minutes is not None and met_at is None:
        budget = timedelta(minutes=minutes)
        if breached_at is not None:
            due_at = ticket[f"{target}_due_at"] or breached_at
        elif terms.runs_in(ticket["status"]):
            due_at = add(terms.calendar, now, budget - spent)
            warning = budget * terms.warn_percent / 100
            warn_at = add(terms.calendar, now, warning - spent) if spent < warning else None
            if due_at <= now:
                breached_at = ticket[f"{target}_breached_at"] = due_at
    ticket[f"{target}_due_at"] = due_at
    return {
        "state": _state(minutes, breached_at, met_at, runs=terms.runs_in(ticket["status"])),
        "target_minutes": minutes,
        "consumed_minutes": _minutes(spent),
        "due_at": due_at.isoformat() if due_at else None,
        "warn_at": warn_at.isoformat() if warn_at else None,
        "met_at": met_at.isoformat() if met_at else None,
        "breached_at": breached_at.isoformat() if breached_at else None,
    }


def _state(minutes: int | None, breached_at: datetime | None, met_at: datetime | None, *, runs: bool) -> str:
    if breached_at is not None:
        return "breached"
    if minutes is None:
        return "none"
    if met_at is not None:
        return "met"
    return "running" if runs else "paused"


def _met_at(ticket: Row, target: str) -> datetime | None:
    """When the target was reached. Who solves a ticket without a word before has responded by that."""
    done = [started for status, started, _ in _spans(ticket) if status in DONE]
    if target == "first_response":
        answers = [*done[:1], *([ticket["first_responded_at"]] if ticket["first_responded_at"] else [])]
        return min(answers, default=None)
    if ticket["status"] not in DONE:
        return None
    # From resolved to closed, it is the resolution that counts.
    return ticket["resolved_at"] or done[-1]


def _spans(ticket: Row) -> Iterable[tuple[str, datetime, datetime | None]]:
    for span in ticket["status_spans"]:
        ended = span.get("ended_at")
        yield (
            span["status"],
            datetime.fromisoformat(span["started_at"]),
            datetime.fromisoformat(ended) if ended else None,
        )


def _reason(status: str, terms: Terms) -> str:
    if status in DONE:
        return f"A {status} ticket owes nothing: the clock stands still."
    if status in terms.pauses:
        return f"The policy pauses the clock in {status}."
    return f"The clock runs in {status}, during the calendar's hours."


def _minutes(spent: timedelta) -> int:
    return spent // timedelta(minutes=1)
