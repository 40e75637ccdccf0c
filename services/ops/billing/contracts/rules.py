"""What may happen to a contract."""

from datetime import date, datetime
from typing import Any

from kit.errors import Conflict, FieldError, Invalid
from kit.resources.lifecycle import Lifecycle, states
from services.ops.billing.contracts import periods
from services.ops.billing.lines import draft_invoice, price

Contract = dict[str, Any]

LIFECYCLE = Lifecycle(
    noun="contract",
    initial=states("draft"),
    moves={
        "draft": states("active"),
        "active": states("suspended expired terminated"),
        "suspended": states("active expired terminated"),
        "expired": states(""),
        "terminated": states(""),
    },
)
OVER = states("expired terminated")
# How far a renewal carries.
RENEWAL_MONTHS = 12
# What is agreed; another contract is made to agree on something else.
_AGREED = ("client_id", "currency", "type", "starts_on", "billing_period")


def judge(before: Contract | None, after: Contract, now: datetime) -> None:
    """Refuse what a contract may not become; price a period; work out what is billed next. Raises IllegalTransition,
    Invalid, and Conflict (`contract-immutable`)."""
    was = before["status"] if before else None
    LIFECYCLE.check(was, after["status"])
    if before and after["currency"] is None:
        after["currency"] = before["currency"]
    _check_dates(after)
    price(after)
    if before and was != "draft":
        _refuse_changes(before, after)
    if after["status"] != was:
        _moved(was, after, now)


def advance(contract: Contract) -> None:
    """The period that was next is billed."""
    start = date.fromisoformat(contract["next_invoice_on"])
    contract["next_invoice_on"] = periods.next_start(_start(contract), contract["billing_period"], start).isoformat()


def is_due(contract: Contract, *, today: date) -> bool:
    """Whether a period has begun by `today` that is not billed yet."""
    start = contract["next_invoice_on"]
    return start is not None and start <= min(today.isoformat(), contract["ends_on"] or start)


def renew_or_expire(contract: Contract, *, today: date) -> None:
    """When its last day is before `today`: on for another year, or expired."""
    while contract["ends_on"] is not None and contract["ends_on"] < today.isoformat():
        if not contract["auto_renew"] or contract["status"] != "active":
            contract["status"] = "expired"
            return
        extended = periods.add_months(date.fromisoformat(contract["ends_on"]), RENEWAL_MONTHS)
        contract["ends_on"] = extended.isoformat()
        contract["renewal_count"] += 1


def invoice_of(contract: Contract) -> dict[str, Any]:
    """The draft invoice of the period that is billed next."""
    start, ends_on = date.fromisoformat(contract["next_invoice_on"]), contract["ends_on"]
    last = periods.last_day(
        _start(contract), contract["billing_period"], start, date.fromisoformat(ends_on) if ends_on else None
    )
    return {
        **draft_invoice(contract, contract["lines"]),
        "contract_id": contract["id"],
        "period_start": start.isoformat(),
        "period_end": last.isoformat(),
    }


def _start(contract: Contract) -> date:
    return date.fromisoformat(contract["starts_on"])


def _check_dates(contract: Contract) -> None:
    if contract["ends_on"] is not None and contract["ends_on"] < contract["starts_on"]:
        raise Invalid.fields(FieldError("endsOn", "is before the first day"))
    if contract["auto_renew"] and contract["ends_on"] is None:
        raise Invalid.fields(FieldError("endsOn", "is needed: only what ends is renewed"))


def _refuse_changes(before: Contract, after: Contract) -> None:
    if before["status"] in OVER:
        changed = [name for name in after if after[name] != before.get(name)]
        if changed:
            raise Conflict(
                f"The contract is {before['status']} and no longer changes: {', '.join(changed)}.",
                code="contract-immutable",
            )
    if changed := [name for name in _AGREED if after[name] != before[name]]:
        raise Conflict(
            f"This is agreed for as long as the contract runs: {', '.join(changed)}.", code="contract-immutable"
        )


def _moved(was: str | None, contract: Contract, now: datetime) -> None:
    start, period, today = _start(contract), contract["billing_period"], now.date()
    match contract["status"]:
        case "active" if was == "draft":
            contract["activated_at"] = now
            current = periods.period_index(start, period, today)
            contract["next_invoice_on"] = periods.period_start(start, period, current).isoformat()
        case "active":
            # The periods that began while it was suspended are not billed.
            contract["next_invoice_on"] = periods.first_start_from(start, period, today).isoformat()
        case "terminated":
            if not contract["termination_reason"]:
                raise Invalid.fields(FieldError("terminationReason", "must say why the contract is ended"))
            contract["terminated_at"], contract["next_invoice_on"] = now, None
        case "suspended" | "expired":
            contract["next_invoice_on"] = None
