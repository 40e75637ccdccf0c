"""sla.forecast."""

from datetime import timedelta
from typing import Any

from services.agent_runtime.reasoners import Result
from services.agent_runtime.reasoners.sla.odds import History, breaks, multiplied
from services.agent_runtime.tests.rows import Row, row, uid
from services.agent_runtime.tests.running import NOW, run


def at(hours: float) -> str:
    return (NOW + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def ticket(index: int, *, created: float = -4, due: float | None = 2, **fields: Any) -> Row:
    given = {"clientId": uid(1), "status": "in_progress", "priority": "high", "assigneeId": "ada", **fields}
    return row("tickets", index, number=f"T-{index}", subject=f"Ticket {index}", createdAt=at(created),
               resolutionDueAt=None if due is None else at(due), **given)  # fmt: skip


def solved(index: int, *, hours: float, priority: str = "high") -> Row:
    return row("tickets", 1000 + index, number=f"T-{1000 + index}", subject="x", status="closed", priority=priority,
               createdAt=at(-500), firstRespondedAt=at(-499), resolvedAt=at(-500 + hours))  # fmt: skip


def forecast(*tickets: Row, **input_: Any) -> Result:
    return run("sla.forecast", input_, {"tickets": list(tickets)})


SLOW = [solved(each, hours=40 + each) for each in range(20)]
FAST = [solved(each, hours=5) for each in range(20)]


def risks(result: Result) -> list[Row]:
    found: list[Row] = result.output["risks"]
    return found


def test_what_usually_takes_longer_is_at_high_risk() -> None:
    (risk,) = risks(forecast(ticket(1), *SLOW))
    assert (risk["band"], risk["promise"], risk["minutesLeft"]) == ("high", "resolution", 120)
    assert risk["probability"] > 0.9
    assert any("20 solved high tickets" in reason for reason in risk["reasons"])


def test_what_is_usually_done_by_then_is_at_low_risk() -> None:
    (risk,) = risks(forecast(ticket(1), *FAST))
    assert risk["band"] == "low"


def test_the_likeliest_first_and_what_is_broken_already_last() -> None:
    overdue = ticket(3, due=-1)
    idle = ticket(2, status="new", assigneeId=None)
    history = [solved(each, hours=5 if each % 2 else 40) for each in range(20)]
    found = risks(forecast(overdue, ticket(1), idle, *history))
    assert [each["number"] for each in found] == ["T-2", "T-1", "T-3"]
    assert "Nobody is assigned." in found[0]["reasons"]
    assert found[2]["band"] == "overdue"
    assert found[2]["minutesLeft"] == -60


def test_only_what_is_due_in_time() -> None:
    tickets = (ticket(1, due=7), ticket(2, due=9), ticket(3, due=None))
    assert [each["number"] for each in risks(forecast(*tickets))] == ["T-1"]
    assert [each["number"] for each in risks(forecast(*tickets, hours=24))] == ["T-1", "T-2"]
    assert risks(forecast(*tickets, hours=1)) == []


def test_clients_are_told_apart() -> None:
    other = ticket(2, clientId=uid(2))
    assert [each["number"] for each in risks(forecast(ticket(1), other, clientId=uid(2)))] == ["T-2"]


def test_paused_ones_are_told_with_what_is_left() -> None:
    sla = {"policyId": uid(9), "resolution": {"state": "paused", "targetMinutes": 480, "consumedMinutes": 100}}
    result = forecast(ticket(1, due=None, status="waiting_on_client", sla=sla))
    assert risks(result) == []
    assert result.output["paused"] == [
        {"ticketId": uid(1), "number": "T-1", "promise": "resolution", "status": "waiting_on_client",
         "businessMinutesLeft": 380}
    ]  # fmt: skip


def test_staff_is_warned_once_a_ticket_and_not_without_bound() -> None:
    tickets = [ticket(each, firstResponseDueAt=at(1)) for each in range(1, 31)]
    result = forecast(*tickets, *SLOW)
    assert len(result.proposals) == 20
    assert len({each.parameters["id"] for each in result.proposals}) == 20
    assert {each.parameters["visibility"] for each in result.proposals} == {"internal"}


def test_who_has_too_much_is_told() -> None:
    load = [ticket(each, due=100) for each in range(2, 12)]
    others = [ticket(each, due=100, assigneeId=f"tech-{each}") for each in range(20, 24)]
    (risk,) = risks(forecast(ticket(1), *load, *others, *FAST))
    assert any(reason.startswith("ada has 11 open tickets") for reason in risk["reasons"])


def test_chances_rise_with_less_time_and_with_longer_history() -> None:
    spans = [60 * each for each in range(1, 41)]
    lasted = timedelta(hours=2)
    chances = [breaks(spans, lasted=lasted, may=timedelta(hours=each)) for each in (4, 8, 16, 39)]
    assert chances == sorted(chances, reverse=True)
    assert 0 < chances[-1] < chances[0] < 1
    assert breaks([], lasted=lasted, may=lasted) == 0.5
    assert multiplied(0.5, 3) == 0.75


def test_few_of_a_priority_are_judged_by_all() -> None:
    history = History.of([*FAST, solved(99, hours=2, priority="low")])
    assert history.of_priority("resolution", "low")[1] == "all"
    assert history.of_priority("resolution", "high")[1] == "high"
    assert history.median("resolution", "high") == 300
