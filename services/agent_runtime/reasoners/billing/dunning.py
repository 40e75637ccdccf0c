"""billing.dunning: who is late with how much, and what to do about it. Pure. It sends nothing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from services.agent_runtime.reasoners import times
from services.agent_runtime.reasoners.billing.amounts import ZERO, decimal, written
from services.agent_runtime.reasoners.billing.letters import letter
from services.agent_runtime.reasoners.evidence import evidence, rule
from services.agent_runtime.reasoners.reasoner import ProposedAction, Result
from services.agent_runtime.reasoners.text import shortened

Row = dict[str, Any]

# From so many days on: the band and the step. The latest first.
_BANDS = ((61, "61+", "escalation"), (31, "31-60", "final_notice"), (8, "8-30", "second_reminder"),
          (1, "1-7", "reminder"))  # fmt: skip
BANDS = tuple(band for _, band, _ in _BANDS)
STEPS = tuple(step for _, _, step in _BANDS)
TAG = "dunning"
_MOST_TICKETS = 20
_DONE = ("resolved", "closed")


@dataclass(frozen=True)
class _Debt:
    invoice: Row
    balance: Decimal
    days: int
    band: str
    step: str


@dataclass(frozen=True)
class _Account:
    """What a client owes in a currency, the oldest first."""

    client_id: str
    currency: str
    debts: list[_Debt]

    @property
    def worst(self) -> _Debt:
        return self.debts[0]

    @property
    def total(self) -> str:
        return written(sum((debt.balance for debt in self.debts), ZERO), self.currency)


def reason(input_: Row, data: Row) -> Result:
    """`data`: now, invoices (that may be late), clients, contacts (for billing, and primary), tasks (tickets of the
    bookkeeper)."""
    del input_
    today = (times.instant(data["now"]) or datetime.fromtimestamp(0, UTC)).date()
    accounts = _accounts(data["invoices"], today)
    clients = {each["id"]: each for each in data["clients"]}
    told = [_told(account, clients, data["contacts"]) for account in accounts]
    output = {
        "asOf": today.isoformat(),
        "accounts": told,
        "totals": _totals(accounts),
        "invoices": sum(len(account.debts) for account in accounts),
    }
    rules = [
        rule(
            f"{debt.invoice['number']}",
            debt.days,
            f"Due on {debt.invoice['dueOn']}, {debt.days} days ago: {debt.step}.",
        )
        for account in accounts
        for debt in account.debts
    ]
    owed = [debt.invoice for account in accounts for debt in account.debts]
    looked_at = evidence(rules, invoices=owed, contacts=data["contacts"], tickets=data["tasks"])
    known = {each["clientId"] for each in data["tasks"] if each["status"] not in _DONE and TAG in (each["tags"] or ())}
    return Result(output, looked_at, tuple(_proposals(accounts, told, known)))


def _accounts(invoices: Sequence[Row], today: date) -> list[_Account]:
    """Those with the oldest debt first."""
    grouped = defaultdict[tuple[str, str], list[_Debt]](list)
    for invoice in invoices:
        debt = _debt(invoice, today)
        if debt is not None:
            grouped[invoice["clientId"], invoice["currency"] or ""].append(debt)
    accounts = []
    for (client_id, currency), debts in grouped.items():
        debts.sort(key=lambda debt: (-debt.days, str(debt.invoice["number"]), str(debt.invoice["id"])))
        accounts.append(_Account(client_id, currency, debts))
    return sorted(accounts, key=lambda account: (-account.worst.days, account.client_id, account.currency))


def _debt(invoice: Row, today: date) -> _Debt | None:
    due, balance = times.day(invoice["dueOn"]), decimal(invoice["balance"])
    if due is None or balance is None or balance <= ZERO or due >= today:
        return None
    days = (today - due).days
    band, step = next((band, step) for least, band, step in _BANDS if days >= least)
    return _Debt(invoice, balance, days, band, step)


def _told(account: _Account, clients: Mapping[str, Row], contacts: Sequence[Row]) -> Row:
    client = clients.get(account.client_id) or {"name": None, "email": None, "phone": None}
    name, call = client["name"] or "", _whom_to_call(account.client_id, client, contacts)
    subject, body = letter(
        account.worst.step,
        name=call["name"] or name or "customer",
        numbers=[str(debt.invoice["number"]) for debt in account.debts],
        lines=[_line(debt) for debt in account.debts],
        total=f"{account.total} {account.currency}".rstrip(),
    )
    return {
        "clientId": account.client_id,
        "clientName": name,
        "currency": account.currency,
        "total": account.total,
        "oldestDays": account.worst.days,
        "band": account.worst.band,
        "step": account.worst.step,
        "call": call,
        "subject": subject,
        "body": body,
        "invoices": [
            {
                "invoiceId": debt.invoice["id"],
                "number": debt.invoice["number"] or "",
                "dueOn": debt.invoice["dueOn"],
                "daysOverdue": debt.days,
                "balance": written(debt.balance, account.currency),
                "band": debt.band,
            }
            for debt in account.debts
        ],
        "reasons": [
            f"The oldest of {len(account.debts)} unpaid invoices, {account.worst.invoice['number']}, has been due for "
            f"{account.worst.days} days."
        ],
    }


def _whom_to_call(client_id: str, client: Row, contacts: Sequence[Row]) -> Row:
    """Who gets the invoices, else whom to ask first, else the company itself."""
    own = [each for each in contacts if each["clientId"] == client_id]
    own.sort(key=lambda each: (not each["isBilling"], not each["isPrimary"], str(each["name"]), str(each["id"])))
    if own:
        who = own[0]
        return {
            "contactId": who["id"],
            "name": who["name"],
            "phone": who["phone"] or who["mobile"] or client["phone"],
            "email": who["email"] or client["email"],
        }
    return {"contactId": None, "name": None, "phone": client["phone"], "email": client["email"]}


def _line(debt: _Debt) -> str:
    invoice = debt.invoice
    amount = f"{written(debt.balance, invoice['currency'] or '')} {invoice['currency'] or ''}".rstrip()
    return f"- {invoice['number']}, due on {invoice['dueOn']}: {amount}"


def _totals(accounts: Sequence[_Account]) -> list[Row]:
    """By currency, and in it by band: currencies are never added up."""
    sums = defaultdict[str, dict[str, Decimal]](lambda: dict.fromkeys(BANDS, ZERO))
    for account in accounts:
        for debt in account.debts:
            sums[account.currency][debt.band] += debt.balance
    return [
        {
            "currency": currency,
            "total": written(sum(by_band.values(), ZERO), currency),
            "bands": [{"band": band, "amount": written(by_band[band], currency)} for band in reversed(BANDS)],
        }
        for currency, by_band in sorted(sums.items())
    ]


def _proposals(accounts: Sequence[_Account], told: Sequence[Row], known: set[str]) -> list[ProposedAction]:
    """A ticket for the bookkeeper about each client in the worst band, unless one is open already."""
    by_client = defaultdict[str, list[Row]](list)
    for account, each in zip(accounts, told, strict=True):
        if account.worst.band == BANDS[0] and account.client_id not in known:
            by_client[account.client_id].append(each)
    return [_ticket(client_id, each) for client_id, each in list(by_client.items())[:_MOST_TICKETS]]


def _ticket(client_id: str, accounts: Sequence[Row]) -> ProposedAction:
    name = accounts[0]["clientName"] or "a client"
    owed = " and ".join(f"{each['total']} {each['currency']}".rstrip() for each in accounts)
    days = max(each["oldestDays"] for each in accounts)
    call = accounts[0]["call"]
    lines = [
        f"{name} owes {owed}; the oldest invoice has been due for {days} days.",
        f"Call {call['name'] or name}: {call['phone'] or 'no number known'}, {call['email'] or 'no address known'}.",
        *(
            f"- {one['number']}, due on {one['dueOn']}: {one['balance']}"
            for each in accounts
            for one in each["invoices"]
        ),
        "",
        "A text to send:",
        *(f"{each['subject']}\n{each['body']}" for each in accounts),
    ]
    parameters: Row = {
        "subject": shortened(f"Overdue account of {name}: {owed}", 200),
        "description": "\n".join(lines)[:10_000],
        "clientId": client_id,
        "priority": "high",
        "category": "Billing",
        "source": "agent",
        "tags": [TAG],
    }
    if call["contactId"]:
        parameters["contactId"] = call["contactId"]
    summary = f"Have somebody call {name}, who owes {owed}, for {days} days in the worst case."
    return ProposedAction("create_ticket", parameters, shortened(summary, 500))
