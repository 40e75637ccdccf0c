"""What may happen to an invoice.

A caller issues and voids; everything else about the state follows from the payments and from the calendar, and is
worked out by `judge` whenever the row changes. An invoice that is paid in part stays `partially_paid` when the rest
becomes due: what is paid says more than the date, and `overdue_since` says that.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from kit.errors import Conflict, FieldError, IllegalTransition, Invalid
from kit.resources.lifecycle import Lifecycle, states
from services.ops.billing import money
from services.ops.billing.lines import price

Invoice = dict[str, Any]

# What a caller may ask for.
LIFECYCLE = Lifecycle(
    noun="invoice",
    initial=states("draft"),
    moves={
        "draft": states("issued void"),
        "issued": states("void"),
        "partially_paid": states(""),
        # An invoice over nothing, which is paid at once.
        "paid": states("void"),
        "overdue": states("void"),
        "void": states(""),
    },
)
# What payments, refunds and the calendar bring about.
BOOKED = Lifecycle(
    noun="invoice",
    initial=states(""),
    moves={
        "draft": states(""),
        "issued": states("partially_paid paid overdue"),
        "partially_paid": states("issued paid overdue"),
        "paid": states("issued partially_paid overdue"),
        "overdue": states("partially_paid paid"),
        "void": states(""),
    },
)
# Where money is still expected.
PAYABLE = states("issued partially_paid overdue")
# All that may change once it is issued.
_CHANGES = states("status amount_paid balance overdue_since acknowledged_at acknowledged_by voided_at void_reason")
# What a draft was made of, where no caller has written it.
_ORIGINS = ("quote_id", "contract_id", "replaces_invoice_id")


def judge(before: Invoice | None, after: Invoice, now: datetime) -> None:
    """Refuse what an invoice may not become; price its lines; work out balance and state. Raises IllegalTransition,
    Invalid, and Conflict (`invoice-immutable`, `invoice-paid`)."""
    was = before["status"] if before else None
    _check_move(before, after["status"])
    if before and after["currency"] is None:
        after["currency"] = before["currency"]
    price(after)
    if before and was != "draft":
        _refuse_changes(before, after)
    else:
        if before:
            _refuse_another_client(before, after)
        after["amount_paid"] = money.written(money.ZERO, after["currency"])
    if after["status"] == "issued" and was == "draft":
        _issued(after, now)
    if after["status"] == "void" and was != "void":
        _voided(after, now)
    elif after["void_reason"] is not None and after["status"] != "void":
        raise Invalid.fields(FieldError("voidReason", "says why an invoice is void, and this one is not"))
    _settle(after)


def issue(invoice: Invoice) -> None:
    """Ask for it to be issued. Raises IllegalTransition unless it is a draft."""
    _move(invoice, "issued")


def void(invoice: Invoice, *, reason: str) -> None:
    """Ask for it to be voided. Raises IllegalTransition when it is void already."""
    _move(invoice, "void")
    invoice["void_reason"] = reason


def void_for_another(invoice: Invoice, *, reason: str) -> None:
    """As `void`, for one that another will replace. A draft is changed instead: IllegalTransition."""
    if invoice["status"] == "draft":
        raise IllegalTransition("A draft is not reissued: change it, and issue it.")
    void(invoice, reason=reason)


def copy_of(invoice: Invoice) -> Invoice:
    """A draft that replaces a void invoice: the writable fields and where it came from."""
    kept = ("client_id", "currency", "lines", "notes", "terms", "quote_id", "contract_id", "period_start", "period_end")
    return {
        **{name: invoice[name] for name in kept},
        "status": "draft",
        "due_on": None,
        "void_reason": None,
        "replaces_invoice_id": invoice["id"],
    }


def acknowledge(invoice: Invoice, *, by: str, now: datetime) -> None:
    """Note that the client has seen it, the first time. Raises Conflict for what the client never got or no longer
    owes."""
    if invoice["status"] in ("draft", "void"):
        raise Conflict(f"An invoice that is {invoice['status']} is not acknowledged.", code="invoice-not-issued")
    if invoice["acknowledged_at"] is None:
        invoice["acknowledged_at"], invoice["acknowledged_by"] = now, by


def book(invoice: Invoice, *, amount_paid: Decimal) -> None:
    """Note what was paid on it so far, in its currency."""
    invoice["amount_paid"] = money.written(amount_paid, invoice["currency"])


def mark_overdue(invoice: Invoice, *, today: date) -> None:
    """Note, the first time, that its day has passed."""
    if invoice["overdue_since"] is None:
        invoice["overdue_since"] = today.isoformat()


def due_date(issued_on: str, payment_days: int) -> str:
    """The last day to pay, as the API writes days."""
    return (date.fromisoformat(issued_on) + timedelta(days=payment_days)).isoformat()


def _check_move(before: Invoice | None, status: str) -> None:
    was = before["status"] if before else None
    if before and status != was and Decimal(before["amount_paid"]):
        raise IllegalTransition(
            f"An invoice cannot go from {was} to {status}; legal: nothing, its payments decide what it is."
        )
    LIFECYCLE.check(was, status)


def _move(invoice: Invoice, status: str) -> None:
    if invoice["status"] == status:
        legal = ", ".join(sorted(LIFECYCLE.moves[status])) or "nothing, it is final"
        raise IllegalTransition(f"The invoice is {status} already; legal: {legal}.")
    invoice["status"] = status


def _refuse_changes(before: Invoice, after: Invoice) -> None:
    changed = {name for name in after if after[name] != before.get(name)} - _CHANGES
    if before["status"] == "void" and after["void_reason"] != before["void_reason"]:
        changed.add("void_reason")
    if changed:
        names = ", ".join(sorted(changed))
        raise Conflict(f"The invoice is issued and no longer changes: {names}.", code="invoice-immutable")


def _refuse_another_client(before: Invoice, after: Invoice) -> None:
    if after["client_id"] != before["client_id"] and any(before[name] for name in _ORIGINS):
        raise Conflict(
            "The invoice was made of a quote, a contract or another invoice, and stays that client's: client_id.",
            code="invoice-immutable",
        )


def _issued(invoice: Invoice, now: datetime) -> None:
    if not invoice["lines"]:
        raise Invalid.fields(FieldError("lines", "must say what the invoice is for, before it is issued"))
    invoice["issued_on"], invoice["issued_at"] = now.date().isoformat(), now
    if invoice["due_on"] is not None and invoice["due_on"] < invoice["issued_on"]:
        raise Invalid.fields(FieldError("dueOn", "is before the day of issue"))


def _voided(invoice: Invoice, now: datetime) -> None:
    if not invoice["void_reason"]:
        raise Invalid.fields(FieldError("voidReason", "must say why the invoice is void"))
    if Decimal(invoice["amount_paid"]):
        raise Conflict("Something is paid on the invoice; refund it first.", code="invoice-paid")
    invoice["voided_at"] = now


def _settle(invoice: Invoice) -> None:
    total, paid = Decimal(invoice["total"]), Decimal(invoice["amount_paid"])
    balance = money.ZERO if invoice["status"] == "void" else total - paid
    invoice["balance"] = money.written(balance, invoice["currency"])
    if invoice["status"] in ("draft", "void"):
        return
    if paid == total:
        status = "paid"
    elif paid:
        status = "partially_paid"
    else:
        status = "overdue" if invoice["overdue_since"] else "issued"
    BOOKED.check(invoice["status"], status)
    invoice["status"] = status
