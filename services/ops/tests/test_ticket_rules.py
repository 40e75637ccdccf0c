"""What may happen to a ticket."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.errors import Conflict, IllegalTransition, Invalid
from services.ops.service_desk.tickets.rules import check_move, escalate, judge, resolve

NOW = datetime(2026, 1, 2, tzinfo=UTC)
EARLIER = NOW - timedelta(days=1)
STATES = ("new", "open", "in_progress", "waiting_on_client", "waiting_on_vendor", "resolved", "closed")
LEGAL = {
    None: {"new"},
    "new": {"open", "in_progress", "resolved"},
    "open": {"in_progress", "waiting_on_client", "waiting_on_vendor", "resolved"},
    "in_progress": {"open", "waiting_on_client", "waiting_on_vendor", "resolved"},
    "waiting_on_client": {"open", "in_progress", "waiting_on_vendor", "resolved"},
    "waiting_on_vendor": {"open", "in_progress", "waiting_on_client", "resolved"},
    "resolved": {"open", "closed"},
    "closed": set[str](),
}
MOVES = [(before, after) for before in LEGAL for after in STATES if before != after]


def ticket(status: str = "open", **fields: Any) -> dict[str, Any]:
    return {
        "status": status,
        "priority": "medium",
        "tier": 1,
        "resolution": "Fixed it.",
        "resolved_at": None,
        "closed_at": None,
        "reopen_count": 0,
        "escalations": [],
        **fields,
    }


def moved(before: dict[str, Any] | None, status: str, **fields: Any) -> dict[str, Any]:
    """The ticket after it was set to a status."""
    after = {**(before or ticket()), "status": status, **fields}
    judge(before, after, NOW)
    return after


def raised(before: dict[str, Any], reason: str = "It burns.") -> dict[str, Any]:
    """The ticket after it was escalated."""
    after = dict(before)
    escalate(after, reason=reason, by="ada", now=NOW)
    return after


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] in LEGAL[each[0]]])
def test_a_legal_move_is_taken(before: str | None, after: str) -> None:
    assert moved(ticket(before) if before else None, after)["status"] == after


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] not in LEGAL[each[0]]])
def test_an_illegal_move_is_refused_and_the_legal_ones_are_named(before: str | None, after: str) -> None:
    with pytest.raises(IllegalTransition) as refused:
        moved(ticket(before) if before else None, after)
    named = ", ".join(sorted(LEGAL[before])) or "nothing, it is final"
    assert refused.value.detail.endswith(f"legal: {named}.")


@pytest.mark.parametrize("resolution", [None, ""])
def test_to_resolve_one_must_say_how(resolution: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        moved(ticket("open", resolution=resolution), "resolved")
    assert [error.path for error in refused.value.errors] == ["resolution"]


def test_what_is_resolved_cannot_lose_its_resolution() -> None:
    with pytest.raises(Invalid):
        moved(ticket("resolved"), "resolved", resolution=None)


def test_the_times_of_resolving_and_closing_are_noted() -> None:
    resolved = moved(ticket("open"), "resolved")
    assert (resolved["resolved_at"], resolved["closed_at"]) == (NOW, None)
    closed = moved(ticket("resolved", resolved_at=EARLIER), "closed")
    assert (closed["resolved_at"], closed["closed_at"]) == (EARLIER, NOW)


def test_a_change_of_something_else_leaves_the_times_alone() -> None:
    after = moved(ticket("resolved", resolved_at=EARLIER), "resolved", priority="high")
    assert (after["resolved_at"], after["reopen_count"]) == (EARLIER, 0)


def test_each_reopening_counts_and_forgets_when_it_was_resolved() -> None:
    once = moved(ticket("resolved", resolved_at=EARLIER), "open")
    assert (once["reopen_count"], once["resolved_at"]) == (1, None)
    assert moved(moved(once, "resolved"), "open")["reopen_count"] == 2


def test_a_move_between_open_states_is_no_reopening() -> None:
    assert moved(ticket("waiting_on_client"), "open")["reopen_count"] == 0


def test_escalation_raises_tier_and_priority_and_records_why() -> None:
    after = raised(ticket(priority="low"), "The boss called.")
    assert (after["tier"], after["priority"]) == (2, "medium")
    assert after["escalations"] == [
        {
            "reason": "The boss called.",
            "tier": 2,
            "priority": "medium",
            "escalated_by": "ada",
            "escalated_at": "2026-01-02T00:00:00+00:00",
        }
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1, "critical"), (2, "critical")),
        ((2, "high"), (3, "critical")),
        ((3, "low"), (3, "medium")),
    ],
)
def test_escalation_goes_as_far_as_each_scale_does(before: tuple[int, str], after: tuple[int, str]) -> None:
    done = raised(ticket(tier=before[0], priority=before[1]))
    assert (done["tier"], done["priority"]) == after


def test_what_is_at_the_top_cannot_be_escalated() -> None:
    with pytest.raises(Conflict) as refused:
        raised(ticket(tier=3, priority="critical"))
    assert refused.value.code == "escalation-exhausted"


@pytest.mark.parametrize("status", ["resolved", "closed"])
def test_what_is_done_cannot_be_escalated(status: str) -> None:
    with pytest.raises(Conflict) as refused:
        raised(ticket(status))
    assert refused.value.code == "ticket-done"


def test_escalations_are_kept_oldest_first() -> None:
    twice = raised(raised(ticket(), "first"), "second")
    assert [each["reason"] for each in twice["escalations"]] == ["first", "second"]


def test_resolving_sets_status_and_resolution() -> None:
    after = ticket(resolution=None)
    resolve(after, resolution="Turned it off and on.")
    assert (after["status"], after["resolution"]) == ("resolved", "Turned it off and on.")


def test_what_is_resolved_cannot_be_resolved_again() -> None:
    with pytest.raises(Conflict) as refused:
        resolve(ticket("resolved"), resolution="Once more.")
    assert refused.value.code == "ticket-done"


TIES: dict[str, dict[str, Any]] = {
    "public comments": {"commented": True},
    "time entries": {"total_minutes": 5},
    "linked assets": {"asset_ids": ["a"]},
    "linked alerts": {"alert_ids": ["a"]},
    "a merge": {"took_over": True},
}


@pytest.mark.parametrize("tied", TIES)
def test_a_ticket_of_which_something_came_stays_with_its_client(tied: str) -> None:
    fresh = {"total_minutes": 0, "asset_ids": [], "alert_ids": [], "merged_into_id": None}

    def move(*, commented: bool = False, took_over: bool = False, **fields: Any) -> None:
        check_move({**fresh, **fields}, commented=commented, took_over=took_over)

    move()
    with pytest.raises(Conflict) as refused:
        move(**TIES[tied])
    assert refused.value.code == "client-fixed"
    assert refused.value.detail.startswith(f"The ticket has {tied}, so")
