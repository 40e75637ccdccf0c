"""The way of the money: a quote is accepted, its invoice issued, paid and no longer changed."""

import pytest

from tests.platform import Platform, assert_problem


def test_from_the_quote_to_the_last_cent(platform: Platform) -> None:
    with platform.api() as engineer:
        client = engineer.new_client(name="Alder & Finch", currency="EUR")
        workspace = engineer.workspace
    with platform.api(roles=("billing",), workspace=workspace) as api:
        line = {"description": "Setup", "quantity": "1.5", "unitPrice": "100", "taxPercent": "20"}
        body = {"clientId": client["id"], "title": "Office", "lines": [line], "validUntil": "2099-12-31"}
        quote = api.post("/quotes", json=body).json()
        sent = api.post(f"/ops/quotes/{quote['id']}/send", json={}).json()
        decision = {"termsDigest": sent["termsDigest"], "acceptedBy": "Jo Finch"}
        assert api.post(f"/ops/quotes/{quote['id']}/accept", json=decision).status_code == 200
        assert_problem(api.post(f"/ops/quotes/{quote['id']}/accept", json=decision), 409, "quote-decided")

        [draft] = api.get("/invoices", params={"status": "draft"}).json()["data"]
        assert (draft["total"], draft["number"], draft["quoteId"]) == ("180.00", None, quote["id"])
        issued = api.post(f"/ops/invoices/{draft['id']}/issue", json={}).json()
        assert (issued["number"], issued["status"]) == ("INV-000001", "issued")
        assert_problem(api.patch(f"/invoices/{draft['id']}", json={"notes": "x"}), 409, "invoice-immutable")

        def pay(amount: str) -> object:
            return api.post("/payments", json={"invoiceId": draft["id"], "amount": amount, "status": "succeeded"})

        for amount, status in (("108.00", 201), ("90.00", 409), ("72.00", 201)):
            assert pay(amount).status_code == status  # type: ignore[attr-defined]
        paid = api.get(f"/invoices/{draft['id']}").json()
        assert (paid["status"], paid["balance"], paid["amountPaid"]) == ("paid", "0.00", "180.00")
        assert_problem(api.delete(f"/invoices/{draft['id']}"), 409, "invoice-not-draft")


@pytest.mark.parametrize("kind", ["invoices", "payments", "quotes", "contracts"])
def test_money_is_for_billing(platform: Platform, kind: str) -> None:
    with platform.api() as engineer:
        assert_problem(engineer.get(f"/{kind}"), 403, "role-missing")
