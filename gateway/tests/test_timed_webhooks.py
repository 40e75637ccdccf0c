"""A webhook that signs the time as well, for a workspace that its address names."""

import httpx
import pytest

from gateway.tests.fake_service import FakeService
from gateway.tests.ingest import JSON, unread
from kit.errors import Unauthenticated
from opsfield.portal.v1.stripe_pb2 import StripeReceipt

EVENTS = "/api/v1/portal/payments/stripe/acme.events"
SIGNED = JSON | {"stripe-signature": f"t=1772452800,v1={'a' * 64},v0=x"}


@pytest.fixture
def portal(services: dict[str, FakeService]) -> FakeService:
    """Takes every event."""
    services["portal"].answers = {"TakeStripeEvent": lambda _: StripeReceipt(payment_id="p-1")}
    return services["portal"]


async def test_it_is_handed_on_with_its_signature_and_address(http: httpx.AsyncClient, portal: FakeService) -> None:
    response = await http.post(EVENTS, content=b'{"a": 1} ', headers=SIGNED | {"idempotency-key": "mine"})
    assert (response.status_code, response.json()) == (200, {"paymentId": "p-1"})
    asked = portal.last
    assert (asked.request.endpoint, asked.request.event.data) == ("acme.events", b'{"a": 1} ')
    assert asked.metadata["x-signature"] == SIGNED["stripe-signature"]
    assert "idempotency-key" not in asked.metadata
    assert (asked.principal.subject, asked.principal.workspace_id) == ("anonymous", None)


@pytest.mark.parametrize("signature", ["", "with space", "x" * 1001])
async def test_what_cannot_be_a_signature_is_refused_unread(
    http: httpx.AsyncClient, portal: FakeService, signature: str
) -> None:
    response = await http.post(EVENTS, content=unread(), headers=JSON | {"stripe-signature": signature})
    assert (response.status_code, response.json()["code"]) == (401, "signature-invalid")
    assert 'header="stripe-signature"' in response.headers["www-authenticate"]
    assert not portal.received


async def test_what_the_service_does_not_believe_is_a_401(http: httpx.AsyncClient, portal: FakeService) -> None:
    def refuse(_: object) -> StripeReceipt:
        raise Unauthenticated("No.", code="signature-missing")

    portal.answers = {"TakeStripeEvent": refuse}
    response = await http.post(EVENTS, content=b"{}", headers=JSON)
    assert (response.status_code, response.json()["code"]) == (401, "signature-missing")
    assert "x-signature" not in portal.last.metadata
