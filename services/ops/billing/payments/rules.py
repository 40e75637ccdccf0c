"""What may happen to a payment. What it means for the invoice is in the handlers, which hold the invoice's row."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from kit.errors import Conflict, FieldError, IllegalTransition, Invalid
from kit.resources.lifecycle import Lifecycle, states
from services.ops.billing import money

Payment = dict[str, Any]

LIFECYCLE = Lifecycle(
    noun="payment",
    initial=states("pending succeeded"),
    moves={
        "pending": states("succeeded failed"),
        "succeeded": states("refunded"),
        "failed": states(""),
        "refunded": states(""),
    },
)
RECEIVED = states("succeeded refunded")
# Whatever its state: another invoice or currency would be another payment.
_NEVER_CHANGES = ("invoice_id", "currency")
_KEPT_ONCE_RECEIVED = ("amount", "provider", "provider_payment_id", "received_on")
# What the provider's word of a payment is held against.
_KEPT_AT_PROVIDER = ("provider", "provider_payment_id", "reference")


def judge(before: Payment | None, after: Payment, now: datetime) -> None:
    """Refuse what a payment may not become; note when it succeeded. Raises IllegalTransition, Invalid, and Conflict
    (`payment-immutable`)."""
    LIFECYCLE.check(before["status"] if before else None, after["status"])
    if before and after["currency"] is None:
        after["currency"] = before["currency"]
    _check_amount(after)
    if (after["provider"] is None) != (after["provider_payment_id"] is None):
        missing = "provider" if after["provider"] is None else "providerPaymentId"
        raise Invalid.fields(FieldError(missing, "is needed: provider and its payment id come together"))
    if before is None:
        after["amount_refunded"] = money.written(money.ZERO, after["currency"])
    else:
        _refuse_changes(before, after)
    if after["status"] == "succeeded" and (before is None or before["status"] == "pending"):
        after["succeeded_at"] = now
        after["received_on"] = after["received_on"] or now.date().isoformat()
    if after["status"] == "refunded" and Decimal(after["amount_refunded"]) < Decimal(after["amount"]):
        raise IllegalTransition("A payment becomes refunded by refunds that come to its amount; it cannot be set.")


def refund(payment: Payment, *, amount: str, reason: str, by: str, now: datetime) -> None:
    """Give back `amount` of it and record why. Raises Conflict when it has not succeeded (`payment-not-received`) or
    less is left of it (`exceeds-payment`), Invalid for an amount that cannot be paid."""
    if payment["status"] != "succeeded":
        raise Conflict(f"A payment that is {payment['status']} cannot be refunded.", code="payment-not-received")
    currency, refunded = payment["currency"], Decimal(amount)
    if not refunded or not money.is_whole(refunded, currency):
        raise Invalid.fields(FieldError("amount", _payable(currency)))
    left = Decimal(payment["amount"]) - Decimal(payment["amount_refunded"])
    if refunded > left:
        raise Conflict(
            f"Of the payment, {money.written(left, currency)} {currency} is left to refund.", code="exceeds-payment"
        )
    payment["amount_refunded"] = money.written(Decimal(payment["amount_refunded"]) + refunded, currency)
    entry = {
        "amount": money.written(refunded, currency),
        "reason": reason,
        "refunded_by": by,
        "refunded_at": now.isoformat(),
    }
    payment["refunds"] = [*payment["refunds"], entry]
    if refunded == left:
        payment["status"] = "refunded"


def check_by_hand(before: Payment, after: Payment | None) -> None:
    """Refuse what the books' keeper may not make of it (None: it is deleted). Raises Conflict `payment-at-provider`
    while the client can still pay it at a provider, whose word of it would find no such payment then."""
    if before["status"] != "pending" or before["provider_payment_id"] is None or not is_of_portal(before):
        return
    if (
        after is None
        or after["status"] == "failed"
        or Decimal(after["amount"]) != Decimal(before["amount"])
        or any(after[name] != before[name] for name in _KEPT_AT_PROVIDER)
    ):
        raise Conflict(
            f"The payment was begun in the portal and can still be paid at {before['provider']}: it is neither failed "
            "nor deleted, and keeps its amount, provider and reference. Whoever has the role billing withdraws it by "
            f"POST /api/v1/portal/payments/{before['id']}/withdraw, which cancels it there first.",
            code="payment-at-provider",
        )


def portal_reference(invoice_number: str, payment_id: str) -> str:
    """What a transfer says that is begun in the portal: `INV-000317-3F9A2C`. The end of the id tells two payments of
    one invoice apart."""
    return f"{invoice_number}-{payment_id[-6:].upper()}"


def is_of_portal(payment: Payment) -> bool:
    """Whether it was begun in the portal: nobody else's reference is made of the payment's id."""
    return str(payment["reference"] or "").endswith(f"-{payment['id'][-6:].upper()}")


def committed(payment: Payment) -> Decimal:
    """What it takes, or may take, of its invoice's total."""
    if payment["status"] == "failed":
        return money.ZERO
    return Decimal(payment["amount"]) - Decimal(payment["amount_refunded"])


def _check_amount(payment: Payment) -> None:
    amount = Decimal(payment["amount"])
    if not amount or not money.is_whole(amount, payment["currency"]):
        raise Invalid.fields(FieldError("amount", _payable(payment["currency"])))
    payment["amount"] = money.written(amount, payment["currency"])


def _payable(currency: str) -> str:
    digits = money.minor_digits(currency)
    return f"must be more than zero, with at most {digits} decimals in {currency}"


def _refuse_changes(before: Payment, after: Payment) -> None:
    kept = _NEVER_CHANGES if before["status"] == "pending" else (*_NEVER_CHANGES, *_KEPT_ONCE_RECEIVED)
    if changed := [name for name in kept if after[name] != before[name]]:
        raise Conflict(f"This of the payment no longer changes: {', '.join(changed)}.", code="payment-immutable")
