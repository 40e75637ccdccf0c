"""The books: a month of invoices reaches the journal, payments come back, and the second sync changes nothing."""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.platform import Api, Platform, assert_problem, eventually

SYNC = "/integrations/accounting/sync"
PATIENCE = 240.0


@pytest.fixture
def billing(platform: Platform) -> Iterator[Api]:
    with platform.api(("billing",)) as billing:
        yield billing


def ended(api: Api, begun: dict[str, Any], status: str = "succeeded") -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = api.get(f"/jobs/{begun['id']}").json()
        return found if found["isFinal"] else None

    found = eventually(look, seconds=PATIENCE)
    assert found is not None
    assert found["status"] == status, found
    return found


def begin(api: Api, **body: Any) -> dict[str, Any]:
    answer = api.post(SYNC, json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/v1/jobs/{answer.json()['id']}"
    return dict(answer.json())


def issue(billing: Api, client_id: str, *lines: tuple[str, str]) -> dict[str, Any]:
    """`lines`: price and tax."""
    written = [{"description": "Work", "quantity": "1", "unitPrice": price, "taxPercent": tax} for price, tax in lines]
    draft = billing.post("/invoices", json={"clientId": client_id, "lines": written}).json()
    issued = billing.post(f"/ops/invoices/{draft['id']}/issue", json={})
    assert issued.status_code == 200, issued.text
    return dict(issued.json())


def journal(api: Api, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        params = {"limit": 200, "offset": len(found), "sortBy": "entryNumber", "sortOrder": "asc", **filters}
        page = api.get("/integrations/accounting/journal-lines", params=params).json()
        found += page["data"]
        if len(found) == page["page"]["total"]:
            return found


def balances(lines: list[dict[str, Any]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for line in lines:
        found[line["account"]] = (
            found.get(line["account"], Decimal(0)) + Decimal(line["debit"]) - Decimal(line["credit"])
        )
    return found


def artifact(platform: Platform, job: dict[str, Any]) -> list[dict[str, str]]:
    url = f"{platform.stack.base_url}{job['artifactUrl']}"
    parts = [httpx.get(url, params={"part": part}).text for part in range(job["artifactParts"])]
    return list(csv.DictReader(io.StringIO("".join(parts))))


def test_a_month_of_invoices_and_what_is_paid_of_it(platform: Platform, billing: Api) -> None:
    with platform.api(workspace=billing.workspace) as engineer:
        clients = [engineer.new_client(name=name, currency="EUR")["id"] for name in ("Alder", "Birch")]
    invoices = [issue(billing, clients[n % 2], ("100", "20"), ("9.99", "7")) for n in range(30)]
    total = sum(Decimal(each["total"]) for each in invoices)
    begun = begin(billing)
    platform.kill("integrations")
    platform.start("integrations")
    found = ended(billing, begun)
    assert (found["type"], found["provider"], found["rowsTotal"]) == ("accounting_sync", "journal", 32)
    assert (found["rowsCreated"], found["rowsUpdated"], found["rowsFailed"]) == (32, 0, 0)
    lines = journal(billing)
    # Each invoice: what is owed, revenue and tax by two rates.
    assert len(lines) == 150
    assert {line["entryNumber"] for line in lines} == set(range(1, 31))
    net = Decimal("109.99") * 30
    assert balances(lines) == {"1200": total, "4000": -net, "2200": net - total}
    written = artifact(platform, found)
    assert [(each["entryNumber"], each["account"]) for each in written] == [
        (str(line["entryNumber"]), line["account"])
        for line in sorted(lines, key=lambda x: (x["entryNumber"], x["position"]))
    ]

    rows = [(each["number"], each["total"], f"statement {each['number']}") for each in invoices[:20]]
    bank = "".join(f"{number},{amount},2026-02-28,{reference}\n" for number, amount, reference in rows)
    content = f"invoiceNumber,amount,date,reference\n{bank}".encode()
    upload = billing.post("/uploads", content=content, headers={"content-type": "text/csv"}).json()["id"]
    found = ended(billing, begin(billing, uploadId=upload))
    # Twenty payments that came, and as many entries.
    assert (found["rowsCreated"], found["rowsUpdated"], found["rowsFailed"]) == (40, 0, 0)
    assert billing.get("/invoices", params={"status": "paid"}).json()["page"]["total"] == 20
    [payment] = billing.get("/payments", params={"q": rows[7][2]}).json()["data"]
    assert (payment["status"], payment["method"], payment["receivedOn"]) == ("succeeded", "bank_transfer", "2026-02-28")
    paid = sum(Decimal(each["total"]) for each in invoices[:20])
    booked = journal(billing)
    assert balances(booked) == {"1200": total - paid, "4000": -net, "2200": net - total, "1000": paid}
    assert {line["period"] for line in journal(billing, account="1000")} == {"2026-02"}
    assert len(journal(billing, invoiceNumber=rows[7][0])) == 7

    for body in ({}, {"uploadId": upload}):
        again = ended(billing, begin(billing, **body))
        assert (again["rowsCreated"], again["rowsUpdated"], again["rowsFailed"]) == (0, 0, 0)
        assert again["artifactUrl"] is None
    assert journal(billing) == booked
    assert billing.get("/payments").json()["page"]["total"] == 20
    state = billing.get("/integrations/accounting").json()
    assert (state["provider"], state["clients"], state["invoices"], state["payments"]) == ("journal", 2, 30, 20)
    assert (state["lastJobId"], state["openConflicts"]) == (again["id"], 0)
    assert state["cursor"]
    assert state["lastSyncedAt"]


def test_who_may_keep_the_books_and_what_makes_no_sense(platform: Platform, billing: Api) -> None:
    unknown = "0190b0b0-0000-7000-8000-000000000000"
    problem = assert_problem(billing.post(SYNC, json={"uploadId": unknown}), 422, "validation-failed")
    assert [error["path"] for error in problem["errors"]] == ["uploadId"]
    assert_problem(billing.post(f"/integrations/accounting/conflicts/{unknown}/dismiss", json={}), 404, "not-found")
    upload = billing.post("/uploads", content=b"amount\n5\n", headers={"content-type": "text/csv"}).json()["id"]
    failed = ended(billing, begin(billing, uploadId=upload), "failed")
    assert failed["errorCode"] == "file-unreadable"
    with platform.api(("integration_admin",), workspace=billing.workspace) as keeper:
        assert keeper.post(f"/jobs/{failed['id']}/retry").status_code == 200
        ended(keeper, failed, "failed")
        listed = keeper.get("/integrations/accounting/conflicts", params={"kind": "unicorn", "status": "open"}).json()
        assert listed["data"] == []
    with platform.api(("data_admin", "ops_engineer"), workspace=billing.workspace) as other:
        assert_problem(other.post(SYNC, json={}), 403, "role-missing")
        assert_problem(other.get("/integrations/accounting/journal-lines"), 403, "role-missing")
        assert_problem(other.post(f"/jobs/{failed['id']}/retry"), 403, "role-missing")
        exported = other.post("/exports", json={"kind": "clients", "format": "csv"}).json()
    ended(billing, exported)
    assert_problem(billing.post(f"/jobs/{exported['id']}/cancel"), 403, "role-missing")
    with platform.api(("billing",)) as stranger:
        assert stranger.get("/integrations/accounting/journal-lines").json()["page"]["total"] == 0
        assert_problem(stranger.get(f"/jobs/{failed['id']}"), 404, "not-found")
