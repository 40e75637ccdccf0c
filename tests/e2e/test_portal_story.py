"""A client's person, from the invite to the paid invoice, and out again."""

from collections.abc import Iterator

import httpx
import pytest

from tests.platform import NO_RATE_LIMIT, Api, Platform, assert_problem, eventually
from tests.portal import Provider, created, done, exchange, provider


@pytest.fixture
def staff(platform: Platform) -> Iterator[Provider]:
    with provider(platform) as staff:
        yield staff


def test_from_the_invite_to_the_end_of_the_session(platform: Platform, staff: Provider) -> None:
    client = staff.new_client(name="Alder & Finch", notes="Pays late.")
    contact = staff.new_contact(client["id"], name="Jo Finch", email="jo@alder.example")
    invited = staff.invite(contact, email="JO@alder.example", role="approver")
    assert (invited["invite"]["status"], invited["invite"]["name"]) == ("pending", "Jo Finch")
    assert invited["token"] not in staff.api.get("/portal/invites").text

    entered = created(exchange(platform, invited["token"]))
    assert (entered["workspaceId"], entered["session"]["clientId"]) == (staff.api.workspace, client["id"])
    assert_problem(exchange(platform, invited["token"]), 401, "token-refused")
    with staff.visitor(entered["accessToken"]) as jo:
        me = done(jo.get("/portal/session"))
        assert (me["name"], me["role"], me["status"]) == ("Jo Finch", "approver", "active")
        [own] = done(jo.get("/portal/clients"))["data"]
        assert own["name"] == "Alder & Finch"
        assert "notes" not in own

        ticket = _ticket(staff.api, jo, contact["id"])
        staff.comment(ticket["id"], "They broke it themselves.", "internal")
        staff.comment(ticket["id"], "Try again, please.")
        told = done(jo.get(f"/portal/tickets/{ticket['id']}"))
        assert [(each["body"], each["fromClient"]) for each in told["comments"]] == [("Try again, please.", False)]
        closed = done(jo.post(f"/portal/tickets/{ticket['id']}/update", json={"action": "close", "comment": "Works."}))
        assert (closed["status"], closed["resolution"]) == ("closed", "Works.")
        assert done(jo.get("/portal/summary"))["counters"]["openTickets"] == 0

        invoice = _invoice(staff.api, jo, staff.sent_quote(client["id"]))
        _pay(staff.api, jo, invoice)

        ended = done(jo.post("/portal/session/terminate", json={}))
        assert ended["status"] == "ended"
        eventually(lambda: assert_problem(jo.get("/portal/summary"), 401, "session-ended"))
    # A gateway that knows nothing of it refuses the token as well.
    platform.restart("gateway", NO_RATE_LIMIT)
    with staff.visitor(entered["accessToken"]) as jo:
        for path in ("/portal/summary", "/portal/tickets", "/tickets", "/edge-agent/policy"):
            assert_problem(jo.get(path), 401, "session-ended")
    [session] = done(staff.api.get("/portal/sessions", params={"status": "ended"}))["data"]
    assert (session["contactId"], session["endedBy"]) == (contact["id"], f"contact:{contact['id']}")
    [invite] = done(staff.api.get("/portal/invites", params={"status": "used"}))["data"]
    assert invite["id"] == invited["invite"]["id"]


def _ticket(staff: Api, jo: Api, contact_id: str) -> dict[str, str]:
    asked = {"subject": "Printer", "description": "It smokes.", "category": "Hardware", "urgency": "urgent"}
    ticket = created(jo.post("/portal/tickets", json=asked))
    assert (ticket["status"], ticket["priority"], ticket["contactId"]) == ("new", "critical", contact_id)
    assert done(jo.get("/portal/summary"))["counters"]["openTickets"] == 1
    at_the_desk = done(staff.get(f"/tickets/{ticket['id']}"))
    assert (at_the_desk["source"], at_the_desk["contactId"]) == ("portal", contact_id)
    assert at_the_desk["createdBy"] == f"contact:{contact_id}"
    return ticket


def _invoice(staff: Api, jo: Api, quote: dict[str, str]) -> dict[str, str]:
    waiting = done(jo.get("/portal/summary"))
    assert [(each["kind"], each["id"]) for each in waiting["approvals"]] == [("quote", quote["id"])]
    path = f"/portal/quotes/{quote['id']}"
    read = done(jo.get(path))
    decision = {"decision": "accepted", "termsDigest": read["termsDigest"]}
    assert_problem(jo.post(f"{path}/decision", json={**decision, "termsDigest": "0" * 64}), 409, "quote-changed")
    accepted = done(jo.post(f"{path}/decision", json=decision))
    assert (accepted["status"], accepted["acceptedBy"]) == ("accepted", "Jo Finch")
    assert_problem(jo.post(f"{path}/decision", json=decision), 409, "quote-decided")
    assert done(jo.get("/portal/summary"))["counters"]["approvals"] == 0

    [draft] = done(staff.get("/invoices", params={"status": "draft"}))["data"]
    assert done(jo.get("/portal/invoices"))["data"] == []
    assert_problem(jo.get(f"/portal/invoices/{draft['id']}"), 404, "not-found")
    assert_problem(jo.post(f"/portal/invoices/{draft['id']}/acknowledge", json={}), 404, "not-found")
    assert_problem(jo.post(f"/portal/invoices/{draft['id']}/payment-intent", json={}), 404, "not-found")
    done(staff.post(f"/ops/invoices/{draft['id']}/issue", json={}))
    seen = done(jo.get(f"/portal/invoices/{draft['id']}"))
    assert (seen["status"], seen["balance"], seen["quoteId"]) == ("issued", "180.00", quote["id"])
    assert "timeEntryIds" not in seen["lines"][0]
    return seen


def _pay(staff: Api, jo: Api, invoice: dict[str, str]) -> None:
    path = f"/portal/invoices/{invoice['id']}"
    first = done(jo.post(f"{path}/acknowledge", json={}))["acknowledgedAt"]
    assert first
    assert done(jo.post(f"{path}/acknowledge", json={}))["acknowledgedAt"] == first
    assert_problem(jo.post(f"{path}/payment-intent", json={"amount": "180.01"}), 409, "exceeds-balance")
    assert_problem(jo.post(f"{path}/payment-intent", json={"currency": "USD"}), 422, "validation-failed")
    assert_problem(jo.post(f"{path}/payment-intent", json={"provider": "nobody"}), 422, "validation-failed")
    part = created(jo.post(f"{path}/payment-intent", json={"amount": "80"}))
    assert part["payment"]["reference"] in part["instructions"]
    withdrawn = done(jo.post(f"/portal/payments/{part['payment']['id']}/withdraw", json={}))
    assert withdrawn["status"] == "failed"
    whole = created(jo.post(f"{path}/payment-intent", json={}))["payment"]
    assert (whole["amount"], whole["status"], whole["method"]) == ("180.00", "pending", "bank_transfer")
    assert_problem(jo.post(f"{path}/payment-intent", json={}), 409, "exceeds-balance")
    summary = done(jo.get("/portal/summary"))
    assert summary["counters"]["pendingPayments"] == 1
    assert [(each["currency"], each["balance"]) for each in summary["invoices"]] == [("EUR", "180.00")]

    # The bookkeeper finds the reference on the bank's statement.
    [payment] = done(staff.get("/payments", params={"q": whole["reference"]}))["data"]
    done(staff.patch(f"/payments/{payment['id']}", json={"status": "succeeded"}))
    paid = done(jo.get(path))
    assert (paid["status"], paid["balance"]) == ("paid", "0.00")
    assert {each["status"] for each in done(jo.get("/portal/payments"))["data"]} == {"succeeded", "failed"}
    assert_problem(jo.post(f"/portal/payments/{payment['id']}/withdraw", json={}), 409, "payment-not-pending")
    assert_problem(jo.post(f"{path}/payment-intent", json={"amount": "1"}), 409, "invoice-not-payable")
    assert done(jo.get("/portal/summary"))["counters"]["unpaidInvoices"] == 0


def test_without_a_token_nothing_is_shown(platform: Platform) -> None:
    for path in ("summary", "tickets", "knowledge-base", "session", "invites"):
        answer = httpx.get(f"{platform.stack.base_url}/api/v1/portal/{path}", headers={"x-workspace-id": "demo"})
        assert_problem(answer, 401, "unauthenticated")
