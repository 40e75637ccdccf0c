"""A day of a managed service provider, over HTTP alone: from the alert in the night to the paid invoice.

Three people work on it, each with no more than their role: Dana sets things up and prepares the invoice (data_admin),
Amira does the work (ops_engineer), Bill keeps the books (billing). The promise is one minute, since the test waits for
it to be broken.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.e2e.test_ticket_story import read_events
from tests.platform import Api, Platform, assert_problem, eventually

Json = dict[str, Any]
PROMISE = timedelta(minutes=1)


@dataclass(frozen=True)
class Company:
    """Who works there, each with a token of their own."""

    dana: Api
    amira: Api
    bill: Api

    @property
    def workspace(self) -> str:
        return self.dana.workspace


@pytest.fixture
def company(platform: Platform) -> Iterator[Company]:
    workspace = f"day-{uuid.uuid4().hex[:8]}"
    people = {"dana": "data_admin", "amira": "ops_engineer", "bill": "billing"}
    with ExitStack() as stack:
        yield Company(**{
            name: stack.enter_context(platform.api((role,), workspace=workspace, subject=name))
            for name, role in people.items()
        })  # fmt: skip


def ok(answer: httpx.Response, status: int = 200) -> Json:
    assert answer.status_code == status, answer.text
    body: Json = answer.json()
    return body


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_day_of_work(platform: Platform, company: Company) -> None:
    client, asset = a_client_with_a_promise(company.dana)
    ticket = an_alert_becomes_a_ticket(company.amira, client, asset)
    entry = the_work_is_done_and_written_down(company.amira, ticket)
    the_client_is_asked_and_answers(company.amira, ticket)
    the_promise_is_broken_and_told_once(platform, company.amira, ticket)
    it_is_escalated_resolved_and_closed(company.amira, ticket)
    the_time_is_billed_and_paid(company, client, ticket, entry)


def a_client_with_a_promise(dana: Api) -> tuple[Json, Json]:
    client = dana.new_client(name="Alder & Finch", currency="EUR", paymentTermsDays=14)
    asset = ok(dana.post("/assets", json={"clientId": client["id"], "name": "mail-1", "type": "server"}), 201)
    policy = {
        "name": "Gold",
        "clientId": client["id"],
        "calendar": {"timeZone": "Europe/Dublin", "alwaysOpen": True},
        "targets": [
            {"priority": each, "firstResponseMinutes": 1, "resolutionMinutes": 1} for each in ("high", "critical")
        ],
        "pauseStates": ["waiting_on_client"],
    }
    ok(dana.post("/sla-policies", json=policy), 201)
    return client, asset


def an_alert_becomes_a_ticket(amira: Api, client: Json, asset: Json) -> Json:
    signal = {
        "source": "uptime",
        "rule": "smtp",
        "title": "Mail does not answer",
        "severity": "high",
        "clientId": client["id"],
        "assetId": asset["id"],
    }
    alert = ok(amira.post("/alerts", json=signal), 201)
    assert (alert["status"], alert["occurrenceCount"]) == ("firing", 1)
    assert ok(amira.post("/alerts", json=signal), 201)["occurrenceCount"] == 2
    firing = ok(amira.get("/alerts", params={"status": "firing", "assetId": asset["id"]}))
    assert [each["id"] for each in firing["data"]] == [alert["id"]]

    linked = ok(amira.post(f"/ops/alerts/{alert['id']}/link-ticket", json={}))
    ticket = ok(amira.get(f"/tickets/{linked['ticketId']}"))
    assert (ticket["number"], ticket["subject"], ticket["priority"]) == ("T-1001", "Mail does not answer", "high")
    assert (ticket["source"], ticket["alertIds"], ticket["assetIds"]) == ("alert", [alert["id"]], [asset["id"]])
    assert instant(ticket["resolutionDueAt"]) == instant(ticket["createdAt"]) + PROMISE
    return ticket


def the_work_is_done_and_written_down(amira: Api, ticket: Json) -> Json:
    path = f"/tickets/{ticket['id']}"
    assigned = ok(amira.patch(path, json={"assigneeId": "amira", "status": "in_progress"}))
    assert assigned["assigneeId"] == "amira"
    mine = ok(amira.get("/tickets", params={"assigneeId": "amira", "status": "in_progress"}))
    assert [each["number"] for each in mine["data"]] == ["T-1001"]
    ok(amira.post(f"/ops{path}/link-asset", json={"assetId": ticket["assetIds"][0]}))

    began = (datetime.now(UTC) - timedelta(minutes=50)).isoformat()
    work = {"ticketId": ticket["id"], "minutes": 45, "startedAt": began, "notes": "Found the full queue"}
    entry = ok(amira.post("/time-entries", json=work), 201)
    assert (entry["userId"], entry["billable"], entry["billableMinutes"]) == ("amira", True, 45)
    assert ok(amira.get(path))["totalMinutes"] == 45
    return entry


def the_client_is_asked_and_answers(amira: Api, ticket: Json) -> None:
    path = f"/tickets/{ticket['id']}"
    question = {"body": "May we restart the mail server now?", "visibility": "public"}
    ok(amira.post(f"{path}/comments", json=question), 201)
    waiting = ok(amira.patch(path, json={"status": "waiting_on_client"}))
    assert (waiting["sla"]["firstResponse"]["state"], waiting["sla"]["resolution"]["state"]) == ("met", "paused")
    assert waiting["resolutionDueAt"] is None

    ok(amira.post(f"{path}/comments", json={"body": "Please do.", "fromClient": True}), 201)
    back = ok(amira.get(path))
    assert (back["status"], back["sla"]["resolution"]["state"]) == ("in_progress", "running")
    assert instant(back["resolutionDueAt"]) > instant(ticket["resolutionDueAt"]), (
        "waiting for the client is not counted"
    )
    talk = ok(amira.get(f"{path}/comments"))["data"]
    assert [(each["body"], each["fromClient"]) for each in talk] == [("Please do.", True), (question["body"], False)]


def the_promise_is_broken_and_told_once(platform: Platform, amira: Api, ticket: Json) -> None:
    path = f"/tickets/{ticket['id']}"
    due = instant(ok(amira.get(path))["resolutionDueAt"])
    time.sleep(max((due - datetime.now(UTC)).total_seconds(), 0))
    assert instant(eventually(lambda: ok(amira.get(path))["resolutionBreachedAt"], seconds=5)) == due
    breached = ok(amira.get(path))
    assert breached["sla"]["resolution"]["targetMinutes"] == 1
    explained = ok(amira.get(f"{path}/sla"))
    assert explained["sla"]["resolution"]["state"] == "breached"
    assert [(each["status"], each["runs"]) for each in explained["intervals"]] == [
        ("new", True),
        ("in_progress", True),
        ("waiting_on_client", False),
        ("in_progress", True),
    ]

    def published() -> bool:
        events = ok(amira.get("/events/outbox", params={"topic": "ticket.sla_breached"}))["data"]
        return [(each["key"], each["state"]) for each in events] == [(ticket["id"], "published")]

    eventually(published)
    [told] = read_events(platform, "ticket.sla_breached", key=ticket["id"])
    data: Any = told["data"]
    assert (data["target"], instant(data["dueAt"])) == ("resolution", due)
    assert told["workspaceid"] == amira.workspace
    assert timedelta(0) <= instant(str(told["time"])) - due <= timedelta(seconds=5)


def it_is_escalated_resolved_and_closed(amira: Api, ticket: Json) -> None:
    path = f"/tickets/{ticket['id']}"
    escalated = ok(amira.post(f"/ops{path}/escalate", json={"reason": "The promise is broken"}))
    assert (escalated["tier"], escalated["priority"]) == (2, "critical")
    assert [(each["reason"], each["escalatedBy"]) for each in escalated["escalations"]] == [
        ("The promise is broken", "amira")
    ]

    silent = assert_problem(amira.patch(path, json={"status": "resolved"}), 422, "validation-failed")
    assert silent["errors"][0]["path"] == "resolution"
    resolved = ok(amira.post(f"/ops{path}/resolve", json={"resolution": "Emptied the queue, moved the disk"}))
    assert (resolved["status"], resolved["resolvedAt"] is not None) == ("resolved", True)
    assert resolved["sla"]["resolution"]["state"] == "breached"
    alert = ok(amira.post(f"/ops/alerts/{ticket['alertIds'][0]}/resolve", json={}))
    assert (alert["status"], alert["ticketId"]) == ("resolved", ticket["id"])
    closed = ok(amira.patch(path, json={"status": "closed"}))
    assert closed["closedAt"] is not None
    assert_problem(amira.patch(path, json={"status": "open"}), 409, "illegal-transition")
    assert ok(amira.get("/alerts", params={"status": "firing"}))["page"]["total"] == 0


def the_time_is_billed_and_paid(company: Company, client: Json, ticket: Json, entry: Json) -> None:
    dana, amira, bill = company.dana, company.amira, company.bill
    open_time = ok(dana.get("/time-entries", params={"ticketId": ticket["id"], "billable": "true"}))["data"]
    assert [(each["id"], each["invoiceId"]) for each in open_time] == [(entry["id"], None)]
    line = {
        "description": f"{ticket['number']}: {ticket['subject']}",
        "quantity": "0.75",
        "unitPrice": "120",
        "taxPercent": "20",
        "timeEntryIds": [entry["id"]],
    }
    draft = ok(dana.post("/invoices", json={"clientId": client["id"], "lines": [line]}), 201)
    assert (draft["status"], draft["number"], draft["total"], draft["currency"]) == ("draft", None, "108.00", "EUR")
    assert_problem(amira.get(f"/invoices/{draft['id']}"), 403, "role-missing")
    assert_problem(bill.get(f"/tickets/{ticket['id']}"), 403, "role-missing")

    path = f"/invoices/{draft['id']}"
    issued = ok(bill.post(f"/ops{path}/issue", json={}))
    assert (issued["number"], issued["status"], issued["balance"]) == ("INV-000001", "issued", "108.00")
    assert instant(issued["dueOn"]) - instant(issued["issuedOn"]) == timedelta(days=14)
    billed = ok(amira.get(f"/time-entries/{entry['id']}"))
    assert (billed["invoiceId"], billed["invoicedAt"]) == (issued["id"], issued["issuedAt"])
    assert_problem(amira.patch(f"/time-entries/{entry['id']}", json={"minutes": 5}), 409, "invoiced")
    twice = assert_problem(
        dana.post("/invoices", json={"clientId": client["id"], "lines": [line]}), 422, "validation-failed"
    )
    assert twice["errors"] == [{"path": "lines[0].timeEntryIds[0]", "message": "is on another invoice"}]

    for amount, status, balance in (("60.00", "partially_paid", "48.00"), ("48.00", "paid", "0.00")):
        payment = {"invoiceId": draft["id"], "amount": amount, "method": "bank_transfer", "status": "succeeded"}
        ok(bill.post("/payments", json=payment), 201)
        owed = ok(bill.get(path))
        assert (owed["status"], owed["balance"]) == (status, balance)
    received = ok(bill.get("/payments", params={"invoiceId": draft["id"], "sortBy": "amount"}))["data"]
    assert [each["amount"] for each in received] == ["60.00", "48.00"]
