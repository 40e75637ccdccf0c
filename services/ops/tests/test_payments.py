"""Payments: never more than the invoice, whoever pays at the same instant."""

import asyncio
from typing import Any

import asyncpg
import pytest

from kit.errors import Problem
from opsfield.ops.v1.invoices_pb2 import Invoice
from opsfield.ops.v1.payments_pb2 import Payment
from services.ops.tests.billing import billed, draft, issued, line
from services.ops.tests.client import Ops
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
