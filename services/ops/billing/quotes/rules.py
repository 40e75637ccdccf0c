"""What may happen to a quote."""

import json
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from kit.errors import Conflict, FieldError, IllegalTransition, Invalid
from kit.resources.lifecycle import Lifecycle, states
from services.ops.billing.lines import draft_invoice, price, total_of

Quote = dict[str, Any]

LIFECYCLE = Lifecycle(
    noun="quote",
    initial=states("draft"),
    moves={
        "draft": states("sent"),
        "sent": states("accepted rejected expired"),
        "accepted": states(""),
        "rejected": states(""),
        "expired": states(""),
    },
)
# The content, which is fixed once sent.
_CONTENT = ("client_id", "currency", "title", "lines", "terms", "valid_until")
# What an acceptance is bound to.
_SEEN = (*_CONTENT, "number", "subtotal", "discount_total", "tax_total", "total", "monthly_total", "yearly_total")


def judge(before: Quote | None, after: Quote, now: datetime) -> None:
    """Refuse what a quote may not become; price its lines; fix its content when it is sent. Raises IllegalTransition,
    Invalid, and Conflict (`quote-immutable`)."""
    was = before["status"] if before else None
    LIFECYCLE.check(was, after["status"])
    if before and after["currency"] is None:
        after["currency"] = before["currency"]
    after["lines"] = [{**line, "recurring": line.get("recurring") or "none"} for line in after["lines"]]
    price(after, _counts)
    after["monthly_total"] = total_of(after["lines"], after["currency"], lambda line: _recurs(line, "monthly"))
    after["yearly_total"] = total_of(after["lines"], after["currency"], lambda line: _recurs(line, "yearly"))
    if before and was != "draft":
        if changed := [name for name in _CONTENT if after[name] != before[name]]:
            names = ", ".join(changed)
            raise Conflict(f"The quote is {was} and no longer changes: {names}; revise it.", code="quote-immutable")
        _check_decision(before, after)
    elif after["status"] == "sent":
        _sent(after, now)


def send(quote: Quote) -> None:
    """Ask for it to be sent. Raises IllegalTransition unless it is a draft."""
    if quote["status"] == "sent":
        raise IllegalTransition("The quote is sent already; legal: accepted, expired, rejected.")
    quote["status"] = "sent"


def accept(quote: Quote, *, digest: str, name: str, by: str, now: datetime) -> None:
    """Accept it for the client, today. Raises Conflict: `quote-decided`, `quote-expired`, `quote-changed`."""
    _refuse_decided(quote)
    if quote["superseded_by_id"]:
        raise Conflict("Another quote has taken the place of this one; read that.", code="quote-changed")
    if quote["status"] == "expired" or (quote["status"] == "sent" and quote["valid_until"] < now.date().isoformat()):
        raise Conflict(f"The quote could be accepted until {quote['valid_until']}.", code="quote-expired")
    if quote["status"] == "sent" and digest != quote["terms_digest"]:
        raise Conflict("The quote is not the one that was read; read it again.", code="quote-changed")
    quote |= {"status": "accepted", "decided_at": now, "decided_by": by, "accepted_by": name}


def reject(quote: Quote, *, reason: str, by: str, now: datetime) -> None:
    """Reject it for the client. Raises Conflict `quote-decided`."""
    _refuse_decided(quote)
    quote |= {"status": "rejected", "decided_at": now, "decided_by": by, "decision_reason": reason}


def expire(quote: Quote) -> None:
    """Its last day has passed."""
    quote["status"] = "expired"


def supersede(quote: Quote, *, by_id: str) -> None:
    """Another has taken its place; one that was still open expires."""
    quote["superseded_by_id"] = by_id
    if quote["status"] == "sent":
        quote["status"] = "expired"


def stand_alone(quote: Quote) -> None:
    """What was to take its place is deleted. One that has expired stays so; it can be revised again."""
    quote["superseded_by_id"] = None


def check_revisable(quote: Quote) -> None:
    """Raises IllegalTransition for a draft, Conflict for a quote that is accepted or has been revised already."""
    if quote["status"] == "draft":
        raise IllegalTransition("A draft is not revised: change it, and send it.")
    if quote["status"] == "accepted":
        _refuse_decided(quote)
    if quote["superseded_by_id"]:
        raise Conflict("The quote was revised already; revise the one that took its place.", code="quote-superseded")


def copy_of(quote: Quote) -> Quote:
    """The writable fields of a new draft with the same content. The last day is for the reviser to say."""
    return {**{name: quote[name] for name in _CONTENT}, "status": "draft", "valid_until": None}


def invoice_of(quote: Quote) -> dict[str, Any]:
    """The draft invoice that an acceptance makes."""
    return {**draft_invoice(quote, filter(_counts, quote["lines"])), "quote_id": quote["id"]}


def digest_of(quote: Quote) -> str:
    """SHA-256 of what the client sees, in a form that depends on nothing else."""
    seen = {name: quote.get(name) for name in _SEEN}
    return sha256(json.dumps(seen, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def _counts(line: dict[str, Any]) -> bool:
    return not line.get("optional")


def _recurs(line: dict[str, Any], period: str) -> bool:
    return _counts(line) and line["recurring"] == period


def _sent(quote: Quote, now: datetime) -> None:
    errors = []
    if not any(_counts(line) for line in quote["lines"]):
        errors.append(FieldError("lines", "must hold one that is not optional, before the quote is sent"))
    if quote["valid_until"] is None:
        errors.append(FieldError("validUntil", "is needed to send the quote"))
    elif date.fromisoformat(quote["valid_until"]) < now.date():
        errors.append(FieldError("validUntil", "has passed"))
    if errors:
        raise Invalid.fields(*errors)
    quote["sent_at"], quote["terms_digest"] = now, digest_of(quote)


def _check_decision(before: Quote, after: Quote) -> None:
    """A decision names who took it, and why or for whom: it comes by its own route."""
    decided = after["status"] in ("accepted", "rejected") and before["status"] != after["status"]
    if decided and after["decided_by"] is None:
        raise IllegalTransition(f"A quote becomes {after['status']} by a decision; legal: none by setting the status.")


def _refuse_decided(quote: Quote) -> None:
    if quote["status"] in ("accepted", "rejected"):
        who, when = quote["accepted_by"] or quote["decided_by"], quote["decided_at"].date().isoformat()
        raise Conflict(f"The quote was {quote['status']} by {who} on {when}.", code="quote-decided")
