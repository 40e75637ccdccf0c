"""Payments: never more than the invoice, whoever pays at the same instant."""

import asyncio
from typing import Any

import asyncpg
import pytest

from devstack.stack import Stack
from kit.errors import Problem
from opsfield.ops.v1.invoices_pb2 import Invoice
from opsfield.ops.v1.payments_pb2 import Payment
from opsfield.ops.v1.portal_invoices_pb2 import (
    AttachPortalPaymentRequest,
    BeginPortalPaymentRequest,
    SettlePortalPaymentRequest,
    WithdrawPortalPaymentRequest,
)
from services.ops.tests.billing import billed, draft, issued, line
from services.ops.tests.client import Ops
from services.ops.tests.portal import as_person
from tests.callers import refused

NOBODY = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"


@pytest.fixture
async def invoice(ops: Ops) -> Invoice:
    """An issued invoice over 100.00 EUR."""
    return await issued(ops, line("1", "100"))


async def pay(ops: Ops, invoice: Invoice, amount: str, status: int = Payment.SUCCEEDED, **fields: Any) -> Any:
    fields = {"invoice_id": invoice.id, "amount": amount, "status": status, **fields}
    return await billed(ops).create(Payment(**fields))


async def books(ops: Ops, invoice: Invoice) -> tuple[int, str, str]:
    now = await billed(ops).get(invoice)
    return now.status, now.amount_paid, now.balance


async def test_payments_bring_an_invoice_to_paid(ops: Ops, invoice: Invoice) -> None:
    first = await pay(ops, invoice, "60", method=Payment.CARD)
    assert (first.client_id, first.currency, first.amount) == (invoice.client_id, "EUR", "60.00")
    assert first.succeeded_at == first.created_at
    assert first.received_on
    assert await books(ops, invoice) == (Invoice.PARTIALLY_PAID, "60.00", "40.00")
    async with refused(409, "exceeds-balance"):
        await pay(ops, invoice, "40.01")
    await pay(ops, invoice, "40")
    assert await books(ops, invoice) == (Invoice.PAID, "100.00", "0.00")
    async with refused(409, "invoice-not-payable"):
        await pay(ops, invoice, "0.01")


async def test_what_is_pending_counts_against_the_rest_but_is_not_paid(ops: Ops, invoice: Invoice) -> None:
    pending = await pay(ops, invoice, "70", Payment.PENDING)
    assert await books(ops, invoice) == (Invoice.ISSUED, "0.00", "100.00")
    async with refused(409, "exceeds-balance"):
        await pay(ops, invoice, "31")
    async with refused(409, "exceeds-balance"):
        await billed(ops).patch(pending, amount="100.01")
    await billed(ops).patch(pending, amount="80")
    await billed(ops).patch(pending, status=Payment.SUCCEEDED, call={"if_match": "2"})
    assert await books(ops, invoice) == (Invoice.PARTIALLY_PAID, "80.00", "20.00")
    failing = await pay(ops, invoice, "20", Payment.PENDING)
    await billed(ops).patch(failing, status=Payment.FAILED)
    await pay(ops, invoice, "20")
    assert await books(ops, invoice) == (Invoice.PAID, "100.00", "0.00")
    async with refused(409, "illegal-transition"):
        await billed(ops).patch(failing, status=Payment.SUCCEEDED)


@pytest.mark.parametrize("status", [Payment.PENDING, Payment.SUCCEEDED])
async def test_payments_at_the_same_instant_never_exceed_the_invoice(ops: Ops, invoice: Invoice, status: int) -> None:
    outcomes = await asyncio.gather(*(pay(ops, invoice, "30", status) for _ in range(10)), return_exceptions=True)
    assert len([each for each in outcomes if isinstance(each, Payment)]) == 3
    assert {each.code for each in outcomes if isinstance(each, Problem)} == {"exceeds-balance"}
    expected = (Invoice.PARTIALLY_PAID, "90.00", "10.00") if status == Payment.SUCCEEDED else (
        Invoice.ISSUED, "0.00", "100.00")  # fmt: skip
    assert await books(ops, invoice) == expected


async def test_changes_of_several_payments_of_an_invoice_do_not_deadlock(ops: Ops, invoice: Invoice) -> None:
    payments = [await pay(ops, invoice, "10", Payment.PENDING) for _ in range(8)]
    await asyncio.gather(*(billed(ops).patch(each, status=Payment.SUCCEEDED) for each in payments))
    assert await books(ops, invoice) == (Invoice.PARTIALLY_PAID, "80.00", "20.00")


async def test_refunds_are_kept_and_the_invoice_owes_again(ops: Ops, invoice: Invoice) -> None:
    payment = await pay(ops, invoice, "100")
    part = await billed(ops).act("refund", payment, amount="30.5", reason="Too much.")
    assert (part.status, part.amount_refunded) == (Payment.SUCCEEDED, "30.50")
    assert await books(ops, invoice) == (Invoice.PARTIALLY_PAID, "69.50", "30.50")
    async with refused(409, "exceeds-payment"):
        await billed(ops).act("refund", payment, amount="69.51", reason="More.")
    whole = await billed(ops).act("refund", payment, amount="69.50", reason="The rest.")
    assert (whole.status, whole.amount_refunded) == (Payment.REFUNDED, "100.00")
    assert [(each.amount, each.reason, each.refunded_by) for each in whole.refunds] == [
        ("30.50", "Too much.", "bill"), ("69.50", "The rest.", "bill")]  # fmt: skip
    assert await books(ops, invoice) == (Invoice.ISSUED, "0.00", "100.00")
    async with refused(409, "payment-not-received"):
        await billed(ops).act("refund", payment, amount="1", reason="More.")
    assert (await billed(ops).act("void", invoice, reason="Wrong.")).status == Invoice.VOID


async def test_refunds_at_the_same_instant_never_exceed_the_payment(ops: Ops, invoice: Invoice) -> None:
    payment = await pay(ops, invoice, "100")
    refunds = (billed(ops).act("refund", payment, amount="40", reason="Back.") for _ in range(5))
    outcomes = await asyncio.gather(*refunds, return_exceptions=True)
    assert len([each for each in outcomes if isinstance(each, Payment)]) == 2
    assert await books(ops, invoice) == (Invoice.PARTIALLY_PAID, "20.00", "80.00")


async def test_input_that_is_refused(ops: Ops, invoice: Invoice) -> None:
    for amount in ("0", "0.00", "1.001"):
        async with refused(422, path="amount"):
            await pay(ops, invoice, amount)
    async with refused(422, path="currency"):
        await pay(ops, invoice, "1", currency="USD")
    async with refused(422, path="invoiceId"):
        await pay(ops, Invoice(id=NOBODY), "1")
    async with refused(422, path="providerPaymentId"):
        await pay(ops, invoice, "1", provider="stripe")
    async with refused(409, "illegal-transition"):
        await pay(ops, invoice, "1", Payment.REFUNDED)
    async with refused(409, "invoice-not-payable"):
        await pay(ops, await draft(ops, line("1", "5"), client=await ops.create_client("B", currency="EUR")), "1")
    payment = await pay(ops, invoice, "1")
    async with refused(422, path="amount"):
        await billed(ops).act("refund", payment, amount="0.001", reason="x")


async def test_a_provider_s_payment_is_booked_once(ops: Ops, invoice: Invoice) -> None:
    identity: dict[str, Any] = {"provider": "stripe", "provider_payment_id": "pi_1"}
    outcomes = await asyncio.gather(*(pay(ops, invoice, "10", **identity) for _ in range(4)), return_exceptions=True)
    assert {each.code for each in outcomes if isinstance(each, Problem)} == {"already-exists"}
    assert await books(ops, invoice) == (Invoice.PARTIALLY_PAID, "10.00", "90.00")


async def test_what_was_received_is_kept(
    ops: Ops, invoice: Invoice, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    pending = await pay(ops, invoice, "5", Payment.PENDING)
    await billed(ops).delete(pending)
    payment = await pay(ops, invoice, "10")
    async with refused(409, "payment-immutable"):
        await billed(ops).patch(payment, amount="11")
    async with refused(409, "illegal-transition"):
        await billed(ops).patch(payment, status=Payment.REFUNDED)
    async with refused(409, "payment-kept"):
        await billed(ops).delete(payment)
    assert (await billed(ops).patch(payment, reference="cheque 7")).reference == "cheque 7"
    for change in ("amount = 9", "deleted_at = now()", "status = 'failed'", "refunds = '[]', amount_refunded = -1"):
        with pytest.raises(asyncpg.PostgresError):
            await admin.execute(f"UPDATE payments SET {change} WHERE id = '{payment.id}'")


@pytest.fixture
def person(ops: Ops, stack: Stack, invoice: Invoice) -> Ops:
    """Of the invoice's client."""
    return as_person(ops, stack, invoice.client_id)


async def begun(person: Ops, invoice: Invoice, provider_payment_id: str | None) -> Payment:
    """A payment over 40.00 begun in the portal, which a provider knows by that id."""
    payment = await person.call("BeginPortalPayment", BeginPortalPaymentRequest(invoice_id=invoice.id, amount="40"))
    if provider_payment_id is not None:
        known: dict[str, Any] = {"provider": "stripe", "provider_payment_id": provider_payment_id}
        await person.call("AttachPortalPayment", AttachPortalPaymentRequest(id=payment.id, **known))
    found: Payment = await billed(person.of(person.principal.workspace_id)).get(Payment(id=payment.id))
    return found


async def test_what_can_still_be_paid_at_a_provider_is_neither_failed_nor_deleted_nor_changed(
    ops: Ops, person: Ops, invoice: Invoice
) -> None:
    payment = await begun(person, invoice, "pi_1")
    clerk = billed(ops)
    refusals = (
        lambda: clerk.delete(payment),
        lambda: clerk.patch(payment, status=Payment.FAILED, failure_reason="Not wanted."),
        lambda: clerk.patch(payment, "provider", "provider_payment_id", "reference", status=Payment.FAILED),
        lambda: clerk.replace(Payment(id=payment.id, invoice_id=invoice.id, amount="40", status=Payment.FAILED)),
        lambda: clerk.replace(Payment(id=payment.id, invoice_id=invoice.id, amount="40")),
        lambda: clerk.patch(payment, "provider", "provider_payment_id"),
        lambda: clerk.patch(payment, provider_payment_id="pi_2"),
        lambda: clerk.patch(payment, "reference"),
        lambda: clerk.patch(payment, amount="39"),
    )
    for attempt in refusals:
        with pytest.raises(Problem) as problem:
            await attempt()
        assert (problem.value.status, problem.value.code) == (409, "payment-at-provider")
        assert f"POST /api/v1/portal/payments/{payment.id}/withdraw" in problem.value.detail
    assert await clerk.get(payment) == payment, "what is refused changes nothing"
    payment = await clerk.patch(payment, method=Payment.DIRECT_DEBIT, amount="40.0")
    assert (payment.method, payment.amount) == (Payment.DIRECT_DEBIT, "40.00")
    said = SettlePortalPaymentRequest(id=payment.id, provider="stripe", provider_payment_id="pi_1", amount="40.00",
                                      currency="EUR", outcome=SettlePortalPaymentRequest.SUCCEEDED)  # fmt: skip
    await person.call("SettlePortalPayment", said)
    assert await books(ops, invoice) == (Invoice.PARTIALLY_PAID, "40.00", "60.00")


async def test_what_is_withdrawn_or_paid_elsewhere_than_at_a_provider_is_the_bookkeepers_again(
    ops: Ops, person: Ops, invoice: Invoice
) -> None:
    withdrawn = await begun(person, invoice, "pi_1")
    await person.call("WithdrawPortalPayment", WithdrawPortalPaymentRequest(id=withdrawn.id))
    await billed(ops).delete(withdrawn)
    by_transfer = await begun(person, invoice, None)
    assert (await billed(ops).patch(by_transfer, status=Payment.FAILED)).status == Payment.FAILED
    recorded = await pay(ops, invoice, "5", Payment.PENDING, provider="stripe", provider_payment_id="pi_2")
    await billed(ops).delete(recorded)
    taken = await begun(person, invoice, "pi_3")
    assert (await billed(ops).patch(taken, status=Payment.SUCCEEDED)).status == Payment.SUCCEEDED
