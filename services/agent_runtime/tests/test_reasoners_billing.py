"""billing.draft_invoice and billing.dunning."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.agent_runtime.reasoners import Result
from services.agent_runtime.tests.rows import Row, row, uid
from services.agent_runtime.tests.running import run

ACME = uid(1)
CLIENT = row("clients", 1, name="Acme", currency="EUR", hourlyRate="92.00", phone="+353 1 555")
TICKETS = [row("tickets", 10 + each, number=f"T-{10 + each}", subject="Server", clientId=ACME) for each in range(5)]
FOREIGN = row("tickets", 99, number="T-99", subject="Other", clientId=uid(2))


def entry(index: int, minutes: int, *, at: str = "2026-03-10T10:00:00Z", ticket: int = 10, **fields: Any) -> Row:
    given = {"billable": True, "billableMinutes": minutes, "minutes": max(1, minutes), **fields}
    return row("time-entries", 100 + index, ticketId=uid(ticket), startedAt=at, **given)


def contract(index: int = 20, /, **fields: Any) -> Row:
    line = {"description": "Seats", "quantity": "10", "unitPrice": "20.00", "taxPercent": "19"}
    given = {"clientId": ACME, "number": f"CON-{index}", "status": "active", "type": "retainer", "currency": "EUR",
             "startsOn": "2026-01-01", "billingPeriod": "monthly", "lines": [line], **fields}  # fmt: skip
    return row("contracts", index, **given)


def draft(entries: list[Row], contracts: list[Row] | None = None, client: Any = CLIENT, **rows: Any) -> Result:
    input_ = {"clientId": ACME, **rows.pop("input", {})}
    given = {"clients": [client], "tickets": [*TICKETS, FOREIGN], "time-entries": entries, **rows}
    return run("billing.draft_invoice", input_, {**given, "contracts": contracts or []})


def test_work_is_billed_by_the_clients_rate() -> None:
    result = draft([entry(1, 90), entry(2, 30, ticket=11), entry(3, 60, ticket=99)])
    output = result.output
    assert [(each["quantity"], each["unitPrice"]) for each in output["lines"]] == [("1.5", "92.00"), ("0.5", "92.00")]
    assert (output["total"], output["currency"], output["minutes"]) == ("184.00", "EUR", 120)
    (proposal,) = result.proposals
    assert proposal.parameters["lines"][0]["timeEntryIds"] == [uid(101)]
    assert "taxPercent" not in proposal.parameters["lines"][0]


def test_the_contract_goes_before_the_client_with_its_tax() -> None:
    output = draft([entry(1, 60)], [contract(hourlyRate="100.00")]).output
    assert output["lines"][0]["unitPrice"] == "100.00"
    assert (output["subtotal"], output["taxTotal"], output["total"]) == ("100.00", "19.00", "119.00")


def test_a_contract_counts_on_its_days_alone() -> None:
    for over in ({"endsOn": "2026-03-09"}, {"startsOn": "2026-03-11"}, {"status": "draft"},
                 {"status": "terminated", "terminatedAt": "2026-03-09T00:00:00Z"}):  # fmt: skip
        assert draft([entry(1, 60)], [contract(hourlyRate="100.00", **over)]).output["lines"][0]["unitPrice"] == "92.00"


def test_included_minutes_cost_nothing_and_those_invoiced_before_are_used_up() -> None:
    invoiced = entry(1, 60, invoicedAt="2026-03-11T00:00:00Z", at="2026-03-12T10:00:00Z")
    result = draft([invoiced, entry(2, 90), entry(3, 60, at="2026-03-11T10:00:00Z", ticket=11)],
                   [contract(includedMinutes=120, hourlyRate="100.00")])  # fmt: skip
    by_price = {(each["unitPrice"], each["quantity"]): each["timeEntryIds"] for each in result.output["lines"]}
    assert by_price == {("0", "1"): [], ("100.00", "0.5"): [uid(102)], ("100.00", "1"): [uid(103)]}
    assert result.output["includedMinutes"] == 60
    assert result.output["subtotal"] == "150.00"


def test_included_minutes_come_back_with_each_period() -> None:
    entries = [entry(1, 60, at="2026-02-10T10:00:00Z"), entry(2, 60)]
    output = draft(entries, [contract(includedMinutes=60, hourlyRate="100.00")]).output
    assert output["includedMinutes"] == 120
    assert output["total"] == "0.00"
    assert draft(entries, [contract(includedMinutes=60, hourlyRate="100.00")]).proposals == ()


def test_work_outside_business_hours_has_its_own_price() -> None:
    calendar = {"timeZone": "Europe/Dublin", "windows": [{"day": "tuesday", "opens": "09:00", "closes": "17:30"}],
                "holidays": [{"date": "2026-03-17"}]}  # fmt: skip
    policy = row("sla-policies", 50, name="Gold", calendar=calendar)
    entries = [entry(1, 60), entry(2, 60, at="2026-03-10T20:00:00Z", ticket=11),
               entry(3, 60, at="2026-03-17T10:00:00Z", ticket=12)]  # fmt: skip
    priced = contract(hourlyRate="100.00", afterHoursRate="150.00", slaPolicyId=uid(50))
    lines = draft(entries, [priced], **{"sla-policies": [policy]}).output["lines"]
    assert [each["unitPrice"] for each in lines] == ["100.00", "150.00", "150.00"]
    assert "outside business hours" in lines[1]["description"]


def test_currencies_are_not_mixed() -> None:
    entries = [entry(1, 60, at="2026-02-10T10:00:00Z"), entry(2, 60)]
    result = draft(entries, [contract(hourlyRate="100.00", currency="USD", startsOn="2026-03-01")])
    assert result.output["refused"]["code"] == "mixed-currencies"
    assert "EUR (the client's rate), USD (contract CON-20)" in result.output["refused"]["reason"]
    assert result.output["lines"] == []
    assert result.proposals == ()


def test_without_a_rate_nothing_is_billed() -> None:
    result = draft([entry(1, 60)], client=row("clients", 1, name="Acme", currency="EUR"))
    assert result.output["refused"]["code"] == "no-rate"
    assert [each["timeEntryId"] for each in result.output["leftOut"]] == [uid(101)]


def test_what_a_draft_has_already_is_left_out() -> None:
    line = {"description": "x", "quantity": "1", "unitPrice": "92.00", "timeEntryIds": [uid(101)]}
    known = row("invoices", 70, clientId=ACME, status="draft", lines=[line])
    result = draft([entry(1, 60), entry(2, 0), entry(3, 30)], invoices=[known])
    assert [each["timeEntryIds"] for each in result.output["lines"]] == [[uid(103)]]
    assert {each["timeEntryId"]: each["reason"] for each in result.output["leftOut"]} == {
        uid(101): f"It is on the draft {uid(70)} already.",
        uid(102): "Nothing of it is billed: its billable minutes are 0.",
    }


@pytest.mark.parametrize(
    ("period", "billed"),
    [({}, 3), ({"from": "2026-03-01"}, 2), ({"to": "2026-02-28"}, 1), ({"from": "2026-03-10", "to": "2026-03-10"}, 1)],
)
def test_the_period_holds_both_of_its_days(period: dict[str, str], billed: int) -> None:
    entries = [entry(1, 5, at="2026-02-28T23:59:00Z"), entry(2, 5), entry(3, 5, at="2026-03-11T00:00:00Z")]
    assert draft(entries, input=period).output["entries"] == billed


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    result = draft([entry(1, 60)], input={"from": "2026-03-10", "to": "2026-03-09"})
    assert result.output["refused"]["code"] == "period"


def worked(count: int, day: str, *, index: int = 0, **fields: Any) -> list[Row]:
    return [entry(index + each, 1, at=f"{day}T{each // 60:02}:{each % 60:02}:00Z", **fields) for each in range(count)]


def test_old_work_is_billed_whatever_else_there_is() -> None:
    invoiced = worked(900, "2026-03-11", invoicedAt="2026-03-12T00:00:00Z")
    foreign = worked(900, "2026-03-12", index=1000, ticket=99)
    result = draft([entry(2000, 60, at="2025-01-10T10:00:00Z"), *invoiced, *foreign])
    assert [each["timeEntryIds"] for each in result.output["lines"]] == [[uid(2100)]]
    assert result.output["complete"]


def test_more_than_can_be_read_is_said_with_the_day_and_comes_later() -> None:
    late, early = worked(900, "2026-03-11"), worked(1, "2026-03-01", index=1000)
    output = draft([*late, *early]).output
    assert (output["complete"], output["entries"]) == (False, 800)
    assert "back to 2026-03-11. What is older can be billed once that is invoiced." in output["notes"][0]
    billed = {entry_id for each in output["lines"] for entry_id in each["timeEntryIds"]}
    rest = [each for each in [*late, *early] if each["id"] not in billed]
    output = draft(
        [*rest, *({**each, "invoicedAt": "2026-03-18T00:00:00Z"} for each in late if each not in rest)]
    ).output
    assert (output["complete"], output["entries"]) == (True, 101)
    assert "more work" not in output["notes"][0]


def test_work_of_a_period_that_was_read_in_full_is_complete() -> None:
    entries = [*worked(700, "2026-03-11"), *worked(200, "2026-02-01", index=1000)]
    assert draft(entries, input={"from": "2026-03-01"}).output["complete"]


def test_included_minutes_need_all_of_their_period_alone() -> None:
    used = worked(500, "2026-02-10", invoicedAt="2026-03-01T00:00:00Z")
    including = contract(includedMinutes=60, hourlyRate="100.00")
    assert draft([entry(1000, 30), *used], [including]).output["includedMinutes"] == 30
    late = draft([entry(1000, 30, at="2026-02-11T10:00:00Z"), *used], [including]).output
    assert late["refused"]["code"] == "too-many-entries"


def test_work_on_tickets_that_are_not_read_is_billed_together() -> None:
    many = [row("tickets", 5000 + each, number=f"T-{each}", subject="x", clientId=ACME,
                updatedAt=f"2026-03-01T{each // 60:02}:{each % 60:02}:00Z") for each in range(402)]  # fmt: skip
    result = draft([entry(each, 60, ticket=5000 + each) for each in range(3)], tickets=many)
    assert [each["description"] for each in result.output["lines"]] == ["Support on 2 tickets (hours)", "T-2 x (hours)"]
    assert result.output["entries"] == 3


@settings(max_examples=80, deadline=None)
@given(
    worked=st.lists(st.tuples(st.integers(1, 1440), st.integers(10, 14), st.integers(1, 28)), min_size=1, max_size=12),
    rate=st.decimals("0.0001", 500, places=4),
    tax=st.integers(0, 30),
    included=st.integers(0, 600),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_amounts_add_up_and_each_entry_is_billed_once(
    worked: list[tuple[int, int, int]], rate: Decimal, tax: int, included: int, currency: str
) -> None:
    entries = [entry(index, minutes, ticket=ticket, at=f"2026-02-{day:02}T10:00:00Z")
               for index, (minutes, ticket, day) in enumerate(worked)]  # fmt: skip
    line = {"description": "Seats", "quantity": "1", "unitPrice": "1", "taxPercent": str(tax)}
    priced = contract(hourlyRate=str(rate), includedMinutes=included, currency=currency, lines=[line])
    output = draft(entries, [priced]).output
    unit = {"EUR": Decimal("0.01"), "JPY": Decimal(1), "KWD": Decimal("0.001")}[currency]
    subtotal = taxes = Decimal(0)
    for each in output["lines"]:
        amount = (Decimal(each["quantity"]) * Decimal(each["unitPrice"])).quantize(unit, ROUND_HALF_UP)
        subtotal += amount
        taxes += (amount * Decimal(each["taxPercent"] or 0) / 100).quantize(unit, ROUND_HALF_UP)
    assert (output["subtotal"], output["taxTotal"]) == (f"{subtotal:f}", f"{taxes:f}")
    assert Decimal(output["total"]) == subtotal + taxes
    billed = sorted(entry_id for each in output["lines"] for entry_id in each["timeEntryIds"])
    assert billed == sorted(each["id"] for each in entries)
    assert output["minutes"] == sum(minutes for minutes, _, _ in worked)
    assert output["includedMinutes"] == min(included, output["minutes"])


def invoice(index: int, due: str | None, balance: str = "100.00", **fields: Any) -> Row:
    given = {"clientId": ACME, "status": "overdue", "currency": "EUR", "number": f"INV-{index:06}", **fields}
    return row("invoices", index, dueOn=due, balance=balance, **given)


def dunning(*invoices: Row, **rows: list[Row]) -> Result:
    return run("billing.dunning", {}, {"invoices": list(invoices), "clients": [CLIENT], **rows})


@pytest.mark.parametrize(
    ("due", "band", "step"),
    [
        ("2026-03-17", "1-7", "reminder"),
        ("2026-03-11", "1-7", "reminder"),
        ("2026-03-10", "8-30", "second_reminder"),
        ("2026-02-16", "8-30", "second_reminder"),
        ("2026-02-15", "31-60", "final_notice"),
        ("2026-01-17", "31-60", "final_notice"),
        ("2026-01-16", "61+", "escalation"),
    ],
)
def test_steps_follow_from_the_days(due: str, band: str, step: str) -> None:
    (account,) = dunning(invoice(1, due)).output["accounts"]
    assert (account["band"], account["step"]) == (band, step)
    assert "INV-000001" in account["subject"]
    assert f"- INV-000001, due on {due}: 100.00 EUR" in account["body"]


def test_what_is_not_late_or_paid_is_left_alone() -> None:
    fine = [
        invoice(1, "2026-03-18", status="issued"),
        invoice(2, "2026-01-01", "0.00", status="partially_paid"),
        invoice(3, None),
        invoice(4, "2026-01-01", status="void"),
        invoice(5, "2026-01-01", status="paid"),
    ]
    assert dunning(*fine).output["accounts"] == []
    partly = dunning(invoice(6, "2026-03-01", "40.00", status="partially_paid"))
    assert partly.output["accounts"][0]["total"] == "40.00"


def test_clients_and_currencies_are_added_up_apart() -> None:
    output = dunning(
        invoice(1, "2026-03-10", "0.10"),
        invoice(2, "2026-01-01", "0.20"),
        invoice(3, "2026-03-10", "500", currency="JPY"),
        invoice(4, "2026-03-10", "7.00", clientId=uid(2)),
    ).output
    assert [(each["clientId"], each["currency"], each["total"]) for each in output["accounts"]] == [
        (ACME, "EUR", "0.30"), (ACME, "JPY", "500"), (uid(2), "EUR", "7.00")
    ]  # fmt: skip
    assert [(each["currency"], each["total"]) for each in output["totals"]] == [("EUR", "7.30"), ("JPY", "500")]
    assert {each["band"]: each["amount"] for each in output["totals"][0]["bands"]} == {
        "1-7": "0.00", "8-30": "7.10", "31-60": "0.00", "61+": "0.20"
    }  # fmt: skip


def test_who_gets_the_invoices_is_called() -> None:
    contacts = [
        row("contacts", 80, clientId=ACME, name="Boss", status="active", isPrimary=True, phone="1"),
        row("contacts", 81, clientId=ACME, name="Clerk", status="active", isBilling=True, email="clerk@acme.example"),
    ]
    call = dunning(invoice(1, "2026-03-01"), contacts=contacts).output["accounts"][0]["call"]
    assert call == {"contactId": uid(81), "name": "Clerk", "phone": "+353 1 555", "email": "clerk@acme.example"}
    nobody = dunning(invoice(1, "2026-03-01")).output["accounts"][0]["call"]
    assert nobody == {"contactId": None, "name": None, "phone": "+353 1 555", "email": None}


def test_the_bookkeeper_gets_a_ticket_for_the_worst_alone_and_once() -> None:
    result = dunning(invoice(1, "2026-01-01"), invoice(2, "2026-01-02", currency="USD"), invoice(3, "2026-03-01"))
    (proposal,) = result.proposals
    assert proposal.action == "create_ticket"
    assert proposal.parameters["subject"] == "Overdue account of Acme: 200.00 EUR and 100.00 USD"
    task = row("tickets", 90, subject="x", clientId=ACME, category="Billing", tags=["dunning"], status="open")
    assert dunning(invoice(1, "2026-01-01"), tickets=[task]).proposals == ()
    done = {**task, "status": "closed"}
    assert len(dunning(invoice(1, "2026-01-01"), tickets=[done]).proposals) == 1
    assert dunning(invoice(3, "2026-02-01")).proposals == ()
