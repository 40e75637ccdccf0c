"""What may happen to an incident, and what its timeline says of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.errors import Conflict, IllegalTransition, Invalid
from services.ops.service_desk.incidents.rules import (
    MOST_ENTRIES,
    add_note,
    check_alerts,
    is_resolving,
    judge,
    sign,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
STATES = ("open", "investigating", "identified", "monitoring", "resolved", "postmortem")
LEGAL = {
    None: {"open"},
    "open": {"investigating", "identified", "monitoring", "resolved"},
    "investigating": {"identified", "monitoring", "resolved"},
    "identified": {"investigating", "monitoring", "resolved"},
    "monitoring": {"investigating", "identified", "resolved"},
    "resolved": {"investigating", "postmortem"},
    "postmortem": set[str](),
}
MOVES = [(before, after) for before in LEGAL for after in STATES if before != after]


def incident(status: str = "open", **fields: Any) -> dict[str, Any]:
    return {
        "status": status,
        "client_ids": [],
        "alert_ids": [],
        "ticket_ids": [],
        "started_at": EARLIER,
        "root_cause": "A cable",
        "override_reason": None,
        "identified_at": None,
        "resolved_at": None,
        "timeline": [],
        **fields,
    }


def moved(before: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    after = {**(before or incident()), **fields}
    judge(before, after, NOW)
    return after


def paths(before: dict[str, Any] | None, **fields: Any) -> list[str]:
    with pytest.raises(Invalid) as refused:
        moved(before, **fields)
    return [error.path for error in refused.value.errors]


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] in LEGAL[each[0]]])
def test_a_legal_move_is_taken_and_written_down(before: str | None, after: str) -> None:
    done = moved(incident(before) if before else None, status=after)
    assert done["timeline"] == [{"at": NOW.isoformat(), "status": after}]


@pytest.mark.parametrize(("before", "after"), [each for each in MOVES if each[1] not in LEGAL[each[0]]])
def test_an_illegal_move_is_refused_and_the_legal_ones_are_named(before: str | None, after: str) -> None:
    with pytest.raises(IllegalTransition) as refused:
        moved(incident(before) if before else None, status=after)
    named = ", ".join(sorted(LEGAL[before])) or "nothing, it is final"
    assert refused.value.detail.endswith(f"legal: {named}.")


def test_it_began_now_unless_said_otherwise() -> None:
    assert moved(None, started_at=None)["started_at"] == NOW
    assert moved(incident(), started_at=None)["started_at"] == EARLIER
    assert paths(None, started_at=NOW + timedelta(seconds=1)) == ["startedAt"]


def test_the_cause_is_known_once() -> None:
    identified = moved(incident("investigating"), status="identified")
    assert identified["identified_at"] == NOW
    again = moved(incident("investigating", identified_at=EARLIER), status="identified")
    assert again["identified_at"] == EARLIER


def test_what_is_taken_up_again_is_not_resolved() -> None:
    resolved = moved(incident("monitoring"), status="resolved")
    assert resolved["resolved_at"] == NOW
    assert moved(resolved, status="investigating")["resolved_at"] is None
    assert moved(resolved, status="postmortem")["resolved_at"] == NOW


@pytest.mark.parametrize("cause", [None, ""])
def test_a_postmortem_says_the_cause(cause: str | None) -> None:
    assert paths(incident("resolved"), status="postmortem", root_cause=cause) == ["rootCause"]
    assert paths(incident("postmortem"), root_cause=cause) == ["rootCause"]


@pytest.mark.parametrize("name", ["client_ids", "alert_ids", "ticket_ids"])
def test_what_belongs_to_it_does_so_once(name: str) -> None:
    json_name = name.replace("_ids", "Ids")
    assert paths(incident(), **{name: ["a", "b", "a"]}) == [f"{json_name}[2]"]


def test_a_change_of_something_else_is_not_in_the_timeline() -> None:
    assert moved(incident(), title="Other")["timeline"] == []


def test_notes_are_added_and_signed_until_it_is_full() -> None:
    one = incident(timeline=[{"at": "x", "by": "bob", "note": "first"}])
    add_note(one, "second", now=NOW)
    sign(one, "ada")
    assert [(each["note"], each["by"]) for each in one["timeline"]] == [("first", "bob"), ("second", "ada")]
    with pytest.raises(Conflict) as refused:
        add_note(incident(timeline=[{}] * MOST_ENTRIES), "more", now=NOW)
    assert refused.value.code == "timeline-full"


def test_while_alerts_fire_one_says_why_it_is_over() -> None:
    check_alerts(incident(), 0)
    check_alerts(incident(override_reason="The sensor is broken"), 2)
    with pytest.raises(Conflict) as refused:
        check_alerts(incident(), 2)
    assert refused.value.code == "alerts-open"


def test_only_the_way_into_resolved_is_resolving() -> None:
    assert is_resolving(incident("open"), incident("resolved"))
    assert not is_resolving(incident("resolved"), incident("resolved"))
    assert not is_resolving(incident("resolved"), incident("postmortem"))
