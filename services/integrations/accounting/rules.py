"""What goes to the books, and what the two sides see differently. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from services.integrations.accounting.port import Customer, Incoming, Invoice, InvoiceThere, Link, Payment, Place

# What is committed late may be told with a time that has been passed already: a call takes half a minute at most.
_OVERLAP = timedelta(minutes=5)
PHASES = ("clients", "invoices", "incoming", "again", "payments")


@dataclass(frozen=True)
class Difference:
    """What becomes a conflict. `subject`: what it is about; of each there is one at most."""

    code: str
    kind: str
    subject: str
    message: str
    resource_id: str | None = None
    external_id: str | None = None
    ours: str | None = None
    theirs: str | None = None
    incoming: dict[str, Any] | None = None


def customer_as_sent(customer: Customer) -> dict[str, Any]:
    """All that is told of a client."""
    return {
        "name": customer.name,
        "email": customer.email,
        "phone": customer.phone,
        "tax_id": customer.tax_id,
        "address": customer.address,
    }


def invoice_as_sent(invoice: Invoice) -> dict[str, Any]:
    """All that may still change of an issued invoice, and what it is known by."""
    return {
        "number": invoice.number,
        "total": str(invoice.total),
        "currency": invoice.currency,
        "voided": invoice.voided_on is not None,
    }


def payment_as_sent(payment: Payment) -> dict[str, Any]:
    """The same of a payment."""
    return {
        "amount": str(payment.amount),
        "kept": str(payment.kept),
        "refunds": len(payment.refunds),
        "invoice_id": payment.invoice_id,
    }


def taken_as_sent(found: Incoming, invoice_id: str, like: str) -> dict[str, Any]:
    """The same of one that came from there, on an invoice whose amounts are written `like` that. `kept`: here; `there`:
    what it is there."""
    amount = written(Decimal(found.amount), like)
    return {"amount": amount, "kept": amount, "refunds": 0, "invoice_id": invoice_id, "there": amount}


def written(amount: Decimal, like: str) -> str:
    """With as many decimals as that one has, if they suffice."""
    rounded = amount.quantize(Decimal(like))
    return f"{rounded if rounded == amount else amount:f}"


def is_done(link: Link | None, wanted: dict[str, Any]) -> bool:
    """Whether the other side knows all of it."""
    return link is not None and link.sent == wanted


def is_theirs(payment: Payment, books: str) -> bool:
    """Whether it came from those books, so that it does not go back there."""
    return payment.provider == books


def since(cursor: datetime | None) -> datetime | None:
    """From when on to look, so that nothing is missed; None: from the beginning."""
    return None if cursor is None else cursor - _OVERLAP


def until_known(changed: Sequence[datetime], from_when: datetime | None) -> int:
    """How many of the rows, the latest changed first, are to be looked at."""
    return sum(1 for each in changed if from_when is None or each >= from_when)


def following(place: Place, kinds: Sequence[Sequence[datetime]], most: int) -> Place | None:
    """Where the next page of changes begins, from when those of this one were made, in order, of each kind; `most`: how
    many of a kind a page has. It begins at a time, not at a position: what is changed meanwhile moves to the end, and
    all behind it moves up. Only where a page is full of changes of one second is it left out by its position."""
    ends = [times[-1] for times in kinds if len(times) == most]
    if not ends:
        return None
    reached = min(ends).replace(microsecond=0)
    return Place(reached) if reached > place.reached else replace(place, page=place.page + 1)


def payment_of(found: Incoming) -> tuple[str, str]:
    """Which payment it is, or is a part of."""
    return found.source, found.external_id.partition("/")[0]


def there(link: Link) -> str:
    """The subject of what differs there, beside what cannot be sent."""
    return f"there/{link.resource_id}"


def invoice_difference(link: Link, found: InvoiceThere) -> Difference | None:
    """What an invoice is there that it is not here."""
    number, total = link.sent["number"], f"{link.sent['total']} {link.sent['currency']}"
    if link.sent["voided"]:
        if found.is_void:
            return None
        return _differs(link, "invoices", "invoice-not-voided", f"{number} is void here, and not there.", "void", total)
    if found.is_void:
        return _differs(link, "invoices", "invoice-voided", f"{number} is void or deleted there.", total, "void")
    if found.total != Decimal(link.sent["total"]):
        theirs = f"{written(found.total, link.sent['total'])} {link.sent['currency']}"
        return _differs(link, "invoices", "invoice-changed", f"{number} has another total there.", total, theirs)
    return None


def total_difference(link: Link, total: Decimal) -> Difference | None:
    """What an invoice comes to there as soon as it was sent that it does not come to here: tax that is worked out
    otherwise, say."""
    return invoice_difference(link, InvoiceThere(link.external_id, total, is_void=link.sent["voided"]))


def payment_difference(link: Link, found: Incoming) -> Difference | None:
    """What a payment that both sides know is there that it is not here."""
    ours = Decimal(link.sent["kept"])
    if amount_there(found) == ours:
        return None
    if found.is_deleted:
        return _differs(link, "payments", "payment-deleted", "The payment was deleted there.", str(ours), "deleted")
    message = "The payment has another amount there."
    return _differs(
        link,
        "payments",
        "payment-changed",
        message,
        link.sent["kept"],
        written(Decimal(found.amount), link.sent["kept"]),
    )


def amount_there(found: Incoming) -> Decimal:
    """Nothing, once it is deleted."""
    return Decimal(0) if found.is_deleted else Decimal(found.amount)


def refund_difference(payment: Payment, link: Link) -> Difference | None:
    """What was given back here of a payment that came from there."""
    if payment.kept == Decimal(link.sent["there"]) or not payment.refunds:
        return None
    return Difference(
        "refunded-here",
        "payments",
        payment.id,
        "The payment was recorded there, and refunded here: record the refund there.",
        resource_id=payment.id,
        external_id=link.external_id,
        ours=str(payment.kept),
        theirs=written(Decimal(link.sent["there"]), str(payment.kept)),
    )


def _differs(link: Link, kind: str, code: str, message: str, ours: str, theirs: str) -> Difference:
    return Difference(
        code,
        kind,
        there(link),
        message,
        resource_id=link.resource_id,
        external_id=link.external_id,
        ours=ours,
        theirs=theirs,
    )


def incoming_difference(found: Incoming, code: str, message: str, ours: str | None = None) -> Difference:
    """Why a payment does not come in; it is kept, to be tried again."""
    theirs = f"{found.amount} {found.currency or ''}".strip() or None
    return Difference(
        code,
        "incoming",
        found.external_id,
        message,
        external_id=found.external_id,
        ours=ours,
        theirs=theirs,
        incoming=found.as_json(),
    )
