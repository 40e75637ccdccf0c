"""The portal or ops dies at a named point of a client's decision or payment. The person tries again with the same key:
there is exactly one invoice, one payment, one ticket, and one answer."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.platform import Api, Platform, eventually, new_key
from tests.portal import Provider, created, done, provider

DEATH = 137
# The points that a change passes before and after it is committed; on the portal's side ops has answered between.
AT_OPS = [("ops", point) for point in ("after-key", "after-effect", "before-commit", "after-commit", "before-answer")]
WITH_A_SESSION = [("portal", point) for point in ("after-key", "after-ops-answer")]
# The look whether a session goes on passes these as well, so they are for whoever has none.
WITHOUT_A_SESSION = [("portal", point) for point in ("before-commit", "after-commit", "before-answer")]


@pytest.fixture(scope="module")
def staff(platform: Platform) -> Iterator[Provider]:
    with provider(platform) as staff:
        yield staff


@pytest.fixture(scope="module")
def client_id(staff: Provider) -> str:
    return str(staff.new_client()["id"])


@pytest.fixture(scope="module")
def person(staff: Provider, client_id: str) -> Api:
    return staff.person(client_id, "approver")


def once_in_spite_of(platform: Platform, person: Api, where: str, point: str, path: str, body: Any) -> httpx.Response:
    """The answer to a request whose first try died at that point: the same to each further try."""
    key = new_key()
    platform.restart(where, {"CRASH_AT": point})
    try:
        # A read passes none of the points; by its answer all are connected again.
        eventually(lambda: person.get("/portal/clients").status_code == 200)
        first = person.post(path, json=body, key=key)
        assert platform.wait(where) == DEATH
    finally:
        platform.start(where)
    # Whoever asks for ops through the portal is asked for again by the portal, with the same key, once ops is back.
    assert first.status_code in (200, 201, 503), first.text
    answer = eventually(lambda: _unless_unavailable(person.post(path, json=body, key=key)))
    assert answer is not None
    again = person.post(path, json=body, key=key)
    assert again.content == answer.content
    assert again.headers["idempotency-replayed"] == "true"
    if first.status_code != 503:
        assert first.content == answer.content
    return answer


@pytest.fixture(scope="module")
def outsider(platform: Platform, staff: Provider, client_id: str) -> Iterator[Api]:
    """Of the same client, with a token that another issuer made."""
    with platform.api(roles=("client_portal",), workspace=staff.api.workspace, client=client_id) as api:
        yield api


@pytest.mark.parametrize(("where", "point"), [*AT_OPS, *WITH_A_SESSION])
def test_a_decision_is_taken_once(
    platform: Platform, staff: Provider, person: Api, client_id: str, where: str, point: str
) -> None:
    quote = staff.sent_quote(client_id)
    path = f"/portal/quotes/{quote['id']}/decision"
    body = {"decision": "accepted", "termsDigest": quote["termsDigest"]}
    decided = done(once_in_spite_of(platform, person, where, point, path, body))
    assert decided["status"] == "accepted"
    drafts = done(staff.api.get("/invoices", params={"status": "draft", "limit": 200}))["data"]
    assert sum(each["quoteId"] == quote["id"] for each in drafts) == 1


@pytest.mark.parametrize(("where", "point"), [*AT_OPS, *WITH_A_SESSION, *WITHOUT_A_SESSION])
def test_a_payment_is_begun_once(
    platform: Platform, staff: Provider, outsider: Api, client_id: str, where: str, point: str
) -> None:
    invoice = staff.issued_invoice(client_id, "100.00")
    path = f"/portal/invoices/{invoice['id']}/payment-intent"
    # Twice as much would be too much, so that a second one could not hide.
    intent = created(once_in_spite_of(platform, outsider, where, point, path, {"amount": "40"}))
    [payment] = done(outsider.get("/portal/payments", params={"invoiceId": invoice["id"]}))["data"]
    assert (payment["id"], payment["status"], payment["amount"]) == (intent["payment"]["id"], "pending", "40.00")
    done(staff.api.patch(f"/payments/{payment['id']}", json={"status": "succeeded"}))
    assert done(outsider.get(f"/portal/invoices/{invoice['id']}"))["balance"] == "60.00"


@pytest.mark.parametrize(("where", "point"), [("ops", "after-commit"), ("portal", "after-ops-answer")])
def test_a_ticket_is_opened_once(platform: Platform, person: Api, where: str, point: str) -> None:
    subject = f"Crash of {where} at {point}"
    ticket = created(once_in_spite_of(platform, person, where, point, "/portal/tickets", {"subject": subject}))
    found = done(person.get("/portal/tickets", params={"q": subject}))["data"]
    assert [each["id"] for each in found] == [ticket["id"]]


def _unless_unavailable(answer: httpx.Response) -> httpx.Response | None:
    return None if answer.status_code == 503 else answer
