"""The journal as the books of a workspace. What is sent to it becomes entries, which are recorded with the step."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from services.integrations.accounting.journal import rules
from services.integrations.accounting.journal.rules import Accounts
from services.integrations.accounting.port import (
    Changes,
    Customer,
    Entry,
    Incoming,
    Invoice,
    Link,
    Payment,
    Place,
    Sent,
)

_ROWS = 50


Booked = Callable[[str, str], Awaitable[Entry | None]]
"""By the id of an invoice or payment, and the event."""


class Journal:
    """`told`: the payments that the bank has told; `booked`: the entry of an event of an invoice or payment."""

    name = "journal"
    most = 200

    def __init__(self, accounts: Accounts, told: Sequence[Incoming], booked: Booked) -> None:
        self._accounts = accounts
        self._booked = booked
        self._told = told

    async def put_customer(self, customer: Customer, link: Link | None) -> Sent:
        del link
        return Sent(customer.id)

    async def put_invoice(self, invoice: Invoice, customer: Link, link: Link | None) -> Sent:
        del customer
        booked = await self._booked(invoice.id, "issued") if link else None
        entries = rules.entries_of_invoice(invoice, self._accounts, booked=booked)
        return Sent(invoice.id, entries=tuple(entries))

    async def put_payment(self, payment: Payment, invoice: Link, customer: Link, link: Link | None) -> Sent:
        del customer
        number = str(invoice.sent["number"])
        received = await self._booked(payment.id, "received") if link else None
        accounts = rules.accounts_of(received, self._accounts) if received else self._accounts
        refunds = int(link.sent["refunds"]) if link else None
        entries = rules.entries_of_payment(payment, number, accounts, refunds_booked=refunds)
        return Sent(payment.id, entries=tuple(entries))

    async def changes(self, since: datetime, place: Place) -> Changes:
        """The bank's file, some rows at a time."""
        del since
        start, end = place.page * _ROWS, (place.page + 1) * _ROWS
        following = replace(place, page=place.page + 1) if end < len(self._told) else None
        return Changes((), self._told[start:end], following)
