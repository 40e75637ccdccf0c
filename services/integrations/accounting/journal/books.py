"""The journal as the books of a workspace. What is sent to it becomes entries, which are recorded with the step."""

from collections.abc import Sequence
from datetime import datetime

from services.integrations.accounting.journal import rules
from services.integrations.accounting.journal.rules import Accounts
from services.integrations.accounting.port import Changes, Customer, Incoming, Invoice, Link, Payment, Sent

_ROWS = 50


class Journal:
    """`told`: the payments that the bank has told."""

    name = "journal"
    most = 200

    def __init__(self, accounts: Accounts, told: Sequence[Incoming]) -> None:
        self._accounts = accounts
        self._told = told

    async def put_customer(self, customer: Customer, link: Link | None) -> Sent:
        del link
        return Sent(customer.id)

    async def put_invoice(self, invoice: Invoice, customer: Link, link: Link | None) -> Sent:
        del customer
        entries = rules.entries_of_invoice(invoice, self._accounts, is_booked=link is not None)
        return Sent(invoice.id, entries=tuple(entries))

    async def put_payment(self, payment: Payment, invoice: Link, customer: Link, link: Link | None) -> Sent:
        del customer
        number = str(invoice.sent["number"])
        booked = int(link.sent["refunds"]) if link else None
        entries = rules.entries_of_payment(payment, number, self._accounts, refunds_booked=booked)
        return Sent(payment.id, entries=tuple(entries))

    async def changes(self, since: datetime, page: int) -> Changes:
        """The bank's file, some rows at a time."""
        del since
        start = page * _ROWS
        return Changes((), self._told[start : start + _ROWS], start + _ROWS >= len(self._told))
