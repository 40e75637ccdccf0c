"""What a time entry may say, and when it may not change any more."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.errors import Conflict, Invalid
from services.ops.service_desk.time_entries.rules import check_deletion, check_ticket, judge

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def entry(**fields: Any) -> dict[str, Any]:
    return {
        "ticket_id": "t",
        "started_at": NOW - timedelta(hours=1),
        "minutes": 25,
        "billable": True,
        "billable_minutes": None,
        "notes": None,
        "invoiced_at": None,
        "invoice_id": None,
        **fields,
    }


def written(before: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    after = {**(before or entry()), **fields}
    judge(before, after, NOW)
    return after


@pytest.mark.parametrize(("billable", "billed"), [(True, 25), (False, 0)])
def test_what_is_billable_is_billed_whole_unless_said_otherwise(billable: bool, billed: int) -> None:
    assert written(billable=billable)["billable_minutes"] == billed


def test_more_or_less_than_the_work_may_be_billed() -> None:
    assert written(billable_minutes=30)["billable_minutes"] == 30
    assert written(billable_minutes=0)["billable_minutes"] == 0


def test_what_is_billed_follows_the_minutes_until_it_is_set() -> None:
    first = written()
    assert written(first, minutes=40)["billable_minutes"] == 40
    assert written(first, billable=False)["billable_minutes"] == 0
    chosen = written(first, billable_minutes=15)
    assert written(chosen, minutes=40)["billable_minutes"] == 15


def test_what_is_not_billable_bills_nothing() -> None:
    with pytest.raises(Invalid) as refused:
        written(billable=False, billable_minutes=5)
    assert [error.path for error in refused.value.errors] == ["billableMinutes"]


def test_work_is_written_down_after_it_began() -> None:
    written(started_at=NOW)
    with pytest.raises(Invalid) as refused:
        written(started_at=NOW + timedelta(seconds=1))
    assert [error.path for error in refused.value.errors] == ["startedAt"]


@pytest.mark.parametrize(
    "change", [{"minutes": 26}, {"billable_minutes": 0}, {"notes": "x"}, {"ticket_id": "u"}, {"billable": False}]
)
def test_what_is_invoiced_stays_as_it_is(change: dict[str, Any]) -> None:
    invoiced = {**written(), "invoiced_at": NOW, "invoice_id": "i"}
    with pytest.raises(Conflict) as refused:
        written(invoiced, **change)
    assert refused.value.code == "invoiced"
    with pytest.raises(Conflict):
        check_deletion(invoiced)


def test_the_invoice_itself_may_take_it_and_give_it_back() -> None:
    free = written()
    taken = written(free, invoiced_at=NOW, invoice_id="i")
    assert written(taken, invoiced_at=None, invoice_id=None) == free
    check_deletion(free)


@pytest.mark.parametrize(
    ("ticket", "code"),
    [
        ({"status": "closed", "merged_into_id": None}, "ticket-closed"),
        ({"status": "closed", "merged_into_id": "x"}, "ticket-merged"),
    ],
)
def test_a_closed_ticket_takes_no_more_time(ticket: dict[str, Any], code: str) -> None:
    with pytest.raises(Conflict) as refused:
        check_ticket(ticket)
    assert refused.value.code == code


@pytest.mark.parametrize("status", ["new", "open", "in_progress", "waiting_on_client", "resolved"])
def test_any_other_does(status: str) -> None:
    check_ticket({"status": status, "merged_into_id": None})
