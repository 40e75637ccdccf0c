"""Payments by Stripe: begun once, settled once by what Stripe says and signs, withdrawn where they can be."""

import asyncio
import json
import time
import uuid
from typing import Any

import pytest

from devstack.stack import Stack
from kit.errors import Problem
from kit.identity import Principal
from kit.signatures import TOLERANCE, sign_timed
from opsfield.common.v1.raw_body_pb2 import RawBody
from opsfield.ops.v1 import portal_invoices_pb2
from opsfield.ops.v1.contacts_pb2 import Contact
from opsfield.ops.v1.invoices_pb2 import Invoice
from opsfield.ops.v1.payments_pb2 import DeletePaymentRequest, GetPaymentRequest, Payment, UpdatePaymentRequest
from opsfield.platform.v1.secrets_pb2 import SetWorkspaceSecretRequest
from opsfield.platform.v1.settings_pb2 import Portal, ReplaceWorkspaceSettingsRequest, WorkspaceSettings
from opsfield.portal.v1 import actions_pb2 as pb2
from opsfield.portal.v1.stripe_pb2 import StripeReceipt, TakeStripeEventRequest
from services.portal.payments import minor_units
from services.portal.tests.caller import Provider
from services.portal.tests.fake_stripe import KEY, FakeStripe
from services.portal.tests.test_actions import issued_invoice
from tests.callers import Caller, refused

WEBHOOK = "whsec_of_this_test"


@pytest.fixture
async def contact(staff: Provider) -> Contact:
    return await staff.contact()


@pytest.fixture
async def person(staff: Provider, contact: Contact) -> Caller:
    return await staff.person(contact)


@pytest.fixture
async def invoice(staff: Provider, contact: Contact) -> Invoice:
    return await issued_invoice(staff, contact.client_id)


async def set_secret(administrator: Caller, key: str, value: str) -> None:
    integrator = Principal("root", frozenset({"integration_admin"}), administrator.principal.workspace_id)
    await administrator.as_(integrator).call("SetWorkspaceSecret", SetWorkspaceSecretRequest(key=key, value=value))


@pytest.fixture
async def account(administrator: Caller, stripe: FakeStripe) -> FakeStripe:
    """The workspace has one at Stripe."""
    stripe.fails.clear()
    await set_secret(administrator, "payments.stripe", KEY)
    await set_secret(administrator, "payments.stripe-webhook", WEBHOOK)
    return stripe


def beginning(invoice: Invoice, **fields: Any) -> pb2.BeginPaymentRequest:
    return pb2.BeginPaymentRequest(id=invoice.id, provider="stripe", **fields)


async def payment_of(person: Caller, payment_id: str) -> portal_invoices_pb2.PortalPayment:
    request = portal_invoices_pb2.GetPortalPaymentRequest(id=payment_id)
    found: portal_invoices_pb2.PortalPayment = await person.call("GetPortalPayment", request)
    return found


async def balance(person: Caller, invoice: Invoice) -> str:
    request = portal_invoices_pb2.GetPortalInvoiceRequest(id=invoice.id)
    return str((await person.call("GetPortalInvoice", request)).balance)


def event(intent: dict[str, Any], kind: str = "payment_intent.succeeded") -> bytes:
    return json.dumps({"id": f"evt_{uuid.uuid4().hex}", "type": kind, "data": {"object": intent}}).encode()


async def tell(
    staff: Provider, body: bytes, *, signature: str | None = "", workspace: str | None = None, at: int | None = None
) -> StripeReceipt:
    """Tell the portal of an event as a gateway hands it on; signed well unless said otherwise."""
    if signature == "":
        signature = sign_timed(body, WEBHOOK, int(time.time()) if at is None else at)
    request = TakeStripeEventRequest(
        endpoint=f"{workspace or staff.portal.principal.workspace_id}.events",
        event=RawBody(content_type="application/json", data=body),
    )
    stranger = staff.portal.as_(Principal("anonymous"))
    receipt: StripeReceipt = await stranger.call("TakeStripeEvent", request, x_signature=signature)
    return receipt


async def test_a_payment_is_begun_once_and_settled_once(
    staff: Provider, person: Caller, invoice: Invoice, account: FakeStripe, administrator: Caller
) -> None:
    settings = WorkspaceSettings(portal=Portal(stripe_publishable_key="pk_test_x"))
    await administrator.call("ReplaceWorkspaceSettings", ReplaceWorkspaceSettingsRequest(settings=settings))
    key = uuid.uuid4().hex
    intent = await person.call("BeginPortalPayment", beginning(invoice, amount="40.00"), key=key)
    assert await person.call("BeginPortalPayment", beginning(invoice, amount="40.00"), key=key) == intent
    at_stripe = account.intents[intent.payment.provider_payment_id]
    assert (at_stripe["amount"], at_stripe["currency"]) == (4000, "eur")
    assert at_stripe["metadata"]["payment_id"] == intent.payment.id
    assert (intent.client_secret, intent.provider) == (at_stripe["client_secret"], "stripe")
    assert (intent.payment.status, intent.payment.method) == (Payment.PENDING, Payment.CARD)

    account.paid(at_stripe["id"])
    said = event(at_stripe)
    # In the same bytes, in others, and all at once.
    receipts = await asyncio.gather(*(_until_taken(staff, body) for body in (said, said, event(at_stripe))))
    assert {each.payment_id for each in receipts} == {intent.payment.id}
    assert (await payment_of(person, intent.payment.id)).status == Payment.SUCCEEDED
    assert await balance(person, invoice) == "60.00"
    # What was told too late, or of nothing here, changes nothing.
    async with refused(409, "payment-not-pending"):
        await tell(staff, event(at_stripe, "payment_intent.canceled"))
    assert not (await tell(staff, event(at_stripe, "charge.refunded"))).HasField("payment_id")
    assert await balance(person, invoice) == "60.00"


async def _until_taken(staff: Provider, body: bytes) -> StripeReceipt:
    while True:
        try:
            return await tell(staff, body)
        except Problem as problem:
            # Stripe, too, comes again.
            assert problem.code in ("busy", "idempotency-key-in-flight"), problem.detail  # noqa: PT017


async def test_only_what_stripe_has_signed_lately_is_believed(
    staff: Provider, elsewhere: Provider, person: Caller, invoice: Invoice, account: FakeStripe
) -> None:
    intent = await person.call("BeginPortalPayment", beginning(invoice))
    account.paid(intent.payment.provider_payment_id)
    said, now = event(account.intents[intent.payment.provider_payment_id]), int(time.time())
    good = sign_timed(said, WEBHOOK, now)
    for wrong in (
        None,
        "t=1,v1=00",
        good.replace("v1=", "v0="),
        good.replace(f"t={now}", f"t={now - 1}"),
        f"{good},t={now}",
        sign_timed(said, "whsec_other", now),
        sign_timed(said + b" ", WEBHOOK, now),
        sign_timed(said, WEBHOOK, now - TOLERANCE - 60),
        sign_timed(said, WEBHOOK, now + TOLERANCE + 60),
        "x" * 1000,
    ):
        async with refused(401):
            await tell(staff, said, signature=wrong)
    # Where nobody has set a secret there is nothing, signed or not.
    async with refused(404):
        await tell(staff, said, workspace=elsewhere.portal.principal.workspace_id)
    assert await balance(person, invoice) == "100.00"
    await tell(staff, said, signature=f"{good},v1=00")
    assert await balance(person, invoice) == "0.00"


async def test_an_event_settles_what_was_asked_for_and_nothing_else(
    staff: Provider, person: Caller, invoice: Invoice, account: FakeStripe
) -> None:
    intent = await person.call("BeginPortalPayment", beginning(invoice))
    account.paid(intent.payment.provider_payment_id)
    honest = account.intents[intent.payment.provider_payment_id]
    for changed in ({"amount_received": 1}, {"currency": "usd"}, {"id": "pi_other"}):
        async with refused(409, "payment-mismatch"):
            await tell(staff, event({**honest, **changed}))
    for metadata in ({}, {**honest["metadata"], "workspace_id": "other"}):
        assert not (await tell(staff, event({**honest, "metadata": metadata}))).HasField("payment_id")
    unknown = {**honest["metadata"], "payment_id": str(uuid.uuid4())}
    assert not (await tell(staff, event({**honest, "metadata": unknown}))).HasField("payment_id")
    for malformed in (b"", b"[]", b"{}", b'{"type": "payment_intent.succeeded"}', b"\xff"):
        async with refused(400):
            await tell(staff, malformed)
    assert await balance(person, invoice) == "100.00"


async def test_withdrawing_cancels_at_stripe_first(
    staff: Provider, person: Caller, invoice: Invoice, account: FakeStripe
) -> None:
    intent = await person.call("BeginPortalPayment", beginning(invoice))
    withdrawing = portal_invoices_pb2.WithdrawPortalPaymentRequest(id=intent.payment.id)
    assert (await person.call("WithdrawPortalPayment", withdrawing)).status == Payment.FAILED
    canceled = account.intents[intent.payment.provider_payment_id]
    assert canceled["status"] == "canceled"
    await tell(staff, event(canceled, "payment_intent.canceled"))

    paid = await person.call("BeginPortalPayment", beginning(invoice))
    unknown = {"type": "invalid_request_error", "message": "Invalid API Key provided"}
    account.fails += [(401, unknown)] * 2
    async with refused(409, "provider-refused"):
        await person.call("WithdrawPortalPayment", portal_invoices_pb2.WithdrawPortalPaymentRequest(id=paid.payment.id))
    account.paid(paid.payment.provider_payment_id)
    async with refused(409, "payment-received"):
        await person.call("WithdrawPortalPayment", portal_invoices_pb2.WithdrawPortalPaymentRequest(id=paid.payment.id))
    assert (await payment_of(person, paid.payment.id)).status == Payment.PENDING


async def test_the_bookkeeper_too_withdraws_what_can_still_be_paid_at_stripe(
    staff: Provider, person: Caller, invoice: Invoice, account: FakeStripe
) -> None:
    begun = (await person.call("BeginPortalPayment", beginning(invoice))).payment
    failing = UpdatePaymentRequest(id=begun.id, payment=Payment(status=Payment.FAILED))
    failing.update_mask.paths.append("status")
    for name, request in (("UpdatePayment", failing), ("DeletePayment", DeletePaymentRequest(id=begun.id))):
        async with refused(409, "payment-at-provider"):
            await staff.ops.call(name, request)
    withdrawing = portal_invoices_pb2.WithdrawPortalPaymentRequest(id=begun.id)
    assert (await staff.portal.call("WithdrawPortalPayment", withdrawing)).status == Payment.FAILED
    assert account.intents[begun.provider_payment_id]["status"] == "canceled"
    await staff.ops.call("DeletePayment", DeletePaymentRequest(id=begun.id))
    assert await balance(person, invoice) == "100.00"


async def test_what_stripe_does_not_know_any_more_is_withdrawn_here(
    staff: Provider, person: Caller, invoice: Invoice, account: FakeStripe
) -> None:
    begun = (await person.call("BeginPortalPayment", beginning(invoice))).payment
    missing = {"type": "invalid_request_error", "code": "resource_missing", "message": "No such payment_intent"}
    account.fails.append((404, missing))
    withdrawing = portal_invoices_pb2.WithdrawPortalPaymentRequest(id=begun.id)
    withdrawn = await staff.portal.call("WithdrawPortalPayment", withdrawing)
    assert withdrawn.status == Payment.FAILED
    found = await staff.ops.call("GetPayment", GetPaymentRequest(id=begun.id))
    assert found.failure_reason == "Withdrawn by the books' keeper."


async def test_money_for_a_payment_that_is_unknown_is_told_the_operator(
    staff: Provider, person: Caller, invoice: Invoice, account: FakeStripe, stack: Stack
) -> None:
    begun = (await person.call("BeginPortalPayment", beginning(invoice))).payment
    account.paid(begun.provider_payment_id)
    honest = account.intents[begun.provider_payment_id]
    taken, cancelled, foreign = [str(uuid.uuid4()) for _ in range(3)]

    def of(payment_id: str, **metadata: str) -> dict[str, Any]:
        return {**honest, "metadata": {**honest["metadata"], "payment_id": payment_id, **metadata}}

    await tell(staff, event(of(taken)))
    await tell(staff, event(of(cancelled), "payment_intent.canceled"))
    await tell(staff, event(of(foreign, workspace_id="other")))
    log = stack.layout.log("portal").read_text().splitlines()
    [told] = [line for line in log if taken in line]
    assert "[error" in told
    assert all(each in told for each in (honest["id"], "100.00", "EUR", honest["metadata"]["workspace_id"]))
    assert ["[info" in line for line in log if cancelled in line] == [True]
    assert [line for line in log if foreign in line] == [], "what is another workspace's is told there"


async def test_what_stripe_refuses_holds_nothing_of_the_balance(
    person: Caller, invoice: Invoice, account: FakeStripe
) -> None:
    key = uuid.uuid4().hex
    too_small = {"type": "invalid_request_error", "code": "amount_too_small", "message": "Amount must be more."}
    for _ in range(2):
        account.fails.append((400, too_small))
        async with refused(422, path="amount"):
            await person.call("BeginPortalPayment", beginning(invoice, amount="0.10"), key=key)
    whole = await person.call("BeginPortalPayment", beginning(invoice))
    assert whole.payment.amount == "100.00"


async def test_while_stripe_is_away_the_same_payment_is_begun_later(
    person: Caller, invoice: Invoice, account: FakeStripe
) -> None:
    key = uuid.uuid4().hex
    # As often as the SDK tries by itself.
    account.fails += [(500, {"type": "api_error", "message": "down"})] * 2
    async with refused(503):
        await person.call("BeginPortalPayment", beginning(invoice), key=key)
    begun = await person.call("BeginPortalPayment", beginning(invoice), key=key)
    page = await person.call("ListPortalPayments", portal_invoices_pb2.ListPortalPaymentsRequest())
    assert [each.id for each in page.data] == [begun.payment.id]


async def test_a_wrong_key_is_no_fault_of_the_payers(person: Caller, invoice: Invoice, administrator: Caller) -> None:
    async with refused(422, path="provider"):
        await person.call("BeginPortalPayment", beginning(invoice))
    await set_secret(administrator, "payments.stripe", "sk_test_wrong")
    async with refused(409, "provider-refused"):
        await person.call("BeginPortalPayment", beginning(invoice))
    assert await balance(person, invoice) == "100.00"


@pytest.mark.parametrize(
    ("amount", "currency", "units"), [("12.50", "EUR", 1250), ("1250", "JPY", 1250), ("1.250", "KWD", 1250)]
)
def test_amounts_are_counted_in_the_smallest_unit(amount: str, currency: str, units: int) -> None:
    assert minor_units.in_minor_units(amount, currency) == units
    assert minor_units.written(units, currency) == amount
    with pytest.raises(ValueError, match="whole number"):
        minor_units.in_minor_units("0.0001", currency)
