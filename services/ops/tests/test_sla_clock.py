"""The SLA clock of a ticket: pauses, changes of priority and policy, reopening, breaches."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ops.service_desk.sla.business_time import Calendar, add, calendar_of, consumed
from services.ops.service_desk.sla.clock import (
    TARGETS,
    Terms,
    assess,
    consumed_until,
    follow_status,
    intervals,
    note_breaches,
)

WORKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
OFFICE = calendar_of("America/New_York", [(day, "09:00", "17:00") for day in WORKDAYS], ())
TERMS = Terms(
    policy_id="p",
    policy_name="Standard",
    policy_version=3,
    calendar=OFFICE,
    minutes={
        "critical": {"first_response": 15, "resolution": 240},
        "medium": {"first_response": 60, "resolution": 480},
    },
    pauses=frozenset({"waiting_on_client", "waiting_on_vendor"}),
    warn_percent=80,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)


class Desk:
    """A ticket that things happen to, as its handlers do them."""

    def __init__(self, created: str, *, terms: Terms | None = TERMS, priority: str = "medium") -> None:
        self.terms = terms
        self.ticket: dict[str, Any] = {
            "status": "new",
            "priority": priority,
            "status_spans": [],
            "first_responded_at": None,
            "resolved_at": None,
            "sla": None,
            **{f"{target}_{what}": None for target in TARGETS for what in ("due_at", "breached_at")},
        }
        self.happen(created)

    def happen(self, when: str, **changes: Any) -> "Desk":
        now = at(when)
        note_breaches(self.ticket, now)
        if changes.get("status") == "resolved":
            changes["resolved_at"] = now
        self.ticket |= changes
        follow_status(self.ticket, now)
        assess(self.ticket, self.terms, now)
        return self

    def respond(self, when: str) -> "Desk":
        return self.happen(when, first_responded_at=at(when))

    def state(self, target: str = "resolution") -> str:
        return str(self.ticket["sla"][target]["state"])

    def due(self, target: str = "resolution") -> datetime | None:
        due: datetime | None = self.ticket[f"{target}_due_at"]
        told = self.ticket["sla"][target]["due_at"]
        assert told == (due.isoformat() if due else None)
        return due


def test_a_new_ticket_is_due_by_its_priority() -> None:
    desk = Desk("2026-01-09 16:30")
    assert (desk.due("first_response"), desk.due()) == (at("2026-01-12 09:30"), at("2026-01-12 16:30"))
    assert (desk.state("first_response"), desk.state()) == ("running", "running")
    assert desk.ticket["sla"]["resolution"]["warn_at"] == at("2026-01-12 14:54").isoformat()


def test_what_comes_outside_hours_starts_when_they_do() -> None:
    assert Desk("2026-01-10 11:00").due("first_response") == at("2026-01-12 10:00")


def test_a_wait_over_the_weekend_moves_the_due_time_by_its_business_hour() -> None:
    desk = Desk("2026-01-09 12:00")
    assert desk.due() == at("2026-01-12 12:00")
    desk.happen("2026-01-09 16:00", status="waiting_on_client")
    assert (desk.due(), desk.state()) == (None, "paused")
    desk.happen("2026-01-10 10:00", status="in_progress")
    assert (desk.due(), desk.state()) == (at("2026-01-12 13:00"), "running")
    assert desk.ticket["sla"]["resolution"]["consumed_minutes"] == 240


def test_two_pauses_in_a_row_are_one() -> None:
    twice = Desk("2026-01-09 09:00").happen("2026-01-09 10:00", status="waiting_on_client")
    twice.happen("2026-01-09 11:00", status="waiting_on_client").happen("2026-01-09 12:00", status="waiting_on_vendor")
    twice.happen("2026-01-09 13:00", status="in_progress").happen("2026-01-09 14:00", status="in_progress")
    once = Desk("2026-01-09 09:00").happen("2026-01-09 10:00", status="waiting_on_client")
    once.happen("2026-01-09 13:00", status="in_progress")
    assert twice.due() == once.due() == at("2026-01-12 12:00")
    assert [span["status"] for span in once.ticket["status_spans"]] == ["new", "waiting_on_client", "in_progress"]


def test_a_higher_priority_leaves_what_is_not_consumed_of_its_budget() -> None:
    desk = Desk("2026-01-09 09:00").happen("2026-01-09 12:00", priority="critical")
    assert desk.due() == at("2026-01-09 13:00")


def test_a_priority_whose_budget_is_consumed_already_breaches_at_once() -> None:
    desk = Desk("2026-01-09 09:00").happen("2026-01-09 15:00", priority="critical")
    assert (desk.state(), desk.ticket["resolution_breached_at"]) == ("breached", at("2026-01-09 15:00"))


def test_pauses_count_when_the_priority_changes_afterwards() -> None:
    desk = Desk("2026-01-09 09:00").happen("2026-01-09 10:00", status="waiting_on_client")
    desk.happen("2026-01-09 14:00", priority="critical")
    assert desk.due() is None
    assert desk.happen("2026-01-09 15:00", status="in_progress").due() == at("2026-01-12 10:00")


def test_another_policy_counts_the_whole_history_on_its_own_clock() -> None:
    desk = Desk("2026-01-09 09:00").happen("2026-01-09 10:00", status="waiting_on_client")
    desk.terms = replace(TERMS, calendar=Calendar("UTC", always_open=True), pauses=frozenset())
    assert desk.happen("2026-01-09 12:00").due() == at("2026-01-09 17:00")
    desk.terms = None
    desk.happen("2026-01-09 12:30")
    assert (desk.ticket["sla"], desk.ticket["resolution_due_at"]) == (None, None)
    desk.terms = TERMS
    assert desk.happen("2026-01-09 13:00", status="open").due() == at("2026-01-12 12:00")


def test_time_resolved_counts_for_nothing_and_what_was_consumed_does() -> None:
    desk = Desk("2026-01-05 09:00").happen("2026-01-05 12:00", status="resolved")
    assert (desk.due(), desk.state()) == (None, "met")
    assert desk.ticket["sla"]["resolution"]["met_at"] == at("2026-01-05 12:00").isoformat()
    desk.happen("2026-01-07 12:00", status="open", resolved_at=None)
    assert (desk.state(), desk.due()) == ("running", at("2026-01-07 17:00"))
    assert desk.ticket["sla"]["resolution"]["consumed_minutes"] == 180


def test_a_response_meets_its_target_and_stops_its_clock_alone() -> None:
    desk = Desk("2026-01-09 09:00").respond("2026-01-09 09:40")
    assert (desk.state("first_response"), desk.due("first_response")) == ("met", None)
    assert desk.ticket["sla"]["first_response"]["consumed_minutes"] == 40
    assert (desk.state(), desk.due()) == ("running", at("2026-01-09 17:00"))
    desk.happen("2026-01-09 16:00", priority="critical")
    assert desk.state("first_response") == "met"


def test_who_solves_it_has_responded() -> None:
    desk = Desk("2026-01-09 09:00").happen("2026-01-09 09:10", status="resolved")
    assert desk.state("first_response") == "met"
    assert desk.happen("2026-01-12 12:00", status="open", resolved_at=None).state("first_response") == "met"


def test_a_response_that_comes_late_is_a_breach_even_if_nobody_looked() -> None:
    desk = Desk("2026-01-09 09:00").respond("2026-01-09 10:30")
    assert (desk.state("first_response"), desk.due("first_response")) == ("breached", None)
    assert desk.ticket["first_response_breached_at"] == at("2026-01-09 10:00")
    assert desk.ticket["sla"]["first_response"]["met_at"] == at("2026-01-09 10:30").isoformat()


@pytest.mark.parametrize(
    "change",
    [
        {"status": "waiting_on_client"},
        {"status": "resolved"},
        {"priority": "low"},
        {"priority": "critical"},
    ],
)
def test_nothing_undoes_a_breach(change: dict[str, Any]) -> None:
    desk = Desk("2026-01-09 09:00").happen("2026-01-12 09:00", **change)
    assert (desk.state(), desk.ticket["resolution_breached_at"]) == ("breached", at("2026-01-09 17:00"))
    desk.happen("2026-01-13 09:00", status="open", priority="medium", resolved_at=None)
    assert (desk.state(), desk.ticket["resolution_breached_at"]) == ("breached", at("2026-01-09 17:00"))


def test_a_priority_without_a_target_promises_nothing() -> None:
    desk = Desk("2026-01-09 09:00", priority="low")
    assert (desk.state(), desk.due()) == ("none", None)
    assert desk.happen("2026-01-09 10:00", priority="medium").due() == at("2026-01-09 17:00")


def test_the_history_is_explained_span_by_span() -> None:
    desk = Desk("2026-01-09 16:00").happen("2026-01-12 10:00", status="waiting_on_client")
    desk.happen("2026-01-12 12:00", status="resolved")
    told = [(each["status"], each["runs"], each["business_minutes"]) for each in explained(desk, "2026-01-13 09:00")]
    assert told == [("new", True, 120), ("waiting_on_client", False, 0), ("resolved", False, 0)]
    reasons = [each["reason"] for each in explained(desk, "2026-01-13 09:00")]
    assert "pauses the clock in waiting_on_client" in reasons[1]
    assert "owes nothing" in reasons[2]


def explained(desk: Desk, now: str) -> list[dict[str, Any]]:
    assert desk.terms
    return list(intervals(desk.ticket, desk.terms, at(now)))


STATUSES = st.sampled_from(["open", "in_progress", "waiting_on_client", "waiting_on_vendor", "resolved"])


@given(st.lists(st.tuples(STATUSES, st.integers(1, 5000)), max_size=8), st.integers(0, 5000))
def test_it_consumes_the_business_time_in_which_it_runs_and_no_more(moves: list[tuple[str, int]], rest: int) -> None:
    desk, now = Desk("2026-03-05 10:00", terms=None), at("2026-03-05 10:00")
    expected, status = timedelta(0), "new"
    for after, wait in [*moves, ("open", rest)]:
        then = now + timedelta(minutes=wait)
        expected += consumed(OFFICE, now, then) if TERMS.runs_in(status) else timedelta(0)
        desk.ticket["status"] = status = after
        follow_status(desk.ticket, then)
        now = then
    assert consumed_until(desk.ticket, TERMS, now) == expected


@given(st.integers(0, 20_000), st.integers(0, 20_000))
def test_looking_at_a_running_clock_does_not_move_its_due_time(first: int, second: int) -> None:
    desk = Desk("2026-03-05 10:00")
    due = desk.due()
    for minutes in sorted((first, second)):
        now = at("2026-03-05 10:00") + timedelta(minutes=minutes)
        if due is not None and now < due:
            assess(desk.ticket, TERMS, now)
            assert desk.due() == due == add(OFFICE, at("2026-03-05 10:00"), timedelta(minutes=480))
