"""Xero as the books of a workspace.

What is created has an `Idempotency-Key` that is the same for each try of a job, and is looked for before: an invoice by
its number, a payment by the reference that it carries. So neither a lost answer nor a crash makes it be there twice."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from xero_python.accounting import AccountingApi, Contacts, Invoices, PaymentDelete
from xero_python.accounting import Invoice as XeroInvoice
from xero_python.exceptions import NotFoundException

from kit import ids
from services.integrations.accounting import rules
from services.integrations.accounting.connection import Connections, Where, reconnect_needed
from services.integrations.accounting.port import (
    Changes,
    Customer,
    Invoice,
    Link,
    Payment,
    Place,
    RefusedError,
    Sent,
)
from services.integrations.accounting.xero import models
from services.integrations.accounting.xero.client import Client, SessionEndedError, connect
from services.integrations.jobs.store import Job

_PAGE = 100


class XeroBooks:
    """`revenue` and `bank`: codes of accounts; `codes`: the names of the rates of tax."""

    name = models.NAME
    most = 20

    def __init__(
        self, job: Job, connections: Connections, where: Where, *, revenue: str, bank: str, codes: Sequence[str]
    ) -> None:
        self._job = job
        self._connections = connections
        self._where = where
        self._revenue = revenue
        self._bank = bank
        self._codes = codes
        self._client: Client | None = None

    async def put_customer(self, customer: Customer, link: Link | None) -> Sent:
        if link is None:
            # One that the bookkeeper has made before is taken as it is.
            where = f"Name=={_quoted(customer.name)}"
            found = (await self._ask(AccountingApi.get_contacts, where=where)).contacts
            if found:
                return Sent(found[0].contact_id)
            body = Contacts(contacts=[models.contact(customer)])
            made = await self._put(AccountingApi.create_contacts, f"contact/{customer.id}", body)
            return Sent(made.contacts[0].contact_id)
        current = (await self._ask(AccountingApi.get_contacts, i_ds=[link.external_id])).contacts
        if not current:
            raise RefusedError("customer-deleted", "The contact is not there any more.", ours=customer.name)
        if current[0].name not in (link.sent["name"], customer.name):
            message = "The contact was changed on both sides."
            raise RefusedError("customer-changed", message, ours=customer.name, theirs=current[0].name)
        body = Contacts(contacts=[models.contact(customer)])
        await self._put(AccountingApi.update_contact, f"contact/{customer.id}", link.external_id, body)
        return Sent(link.external_id)

    async def put_invoice(self, invoice: Invoice, customer: Link, link: Link | None) -> Sent | None:
        if link is not None:
            return await self._void_invoice(link)
        if invoice.voided_on is not None:
            return None
        found = (await self._ask(AccountingApi.get_invoices, invoice_numbers=[invoice.number])).invoices
        if found:
            if not models.is_ours(found[0], invoice, customer.external_id):
                raise RefusedError(
                    "invoice-number-taken",
                    f"Another invoice there has the number {invoice.number}.",
                    ours=str(invoice.total),
                    theirs=str(models.total_of(found[0])),
                )
            return Sent(found[0].invoice_id, total=models.total_of(found[0]))
        body = Invoices(invoices=[models.invoice(invoice, customer.external_id, self._revenue, self._codes)])
        made = (await self._put(AccountingApi.create_invoices, f"invoice/{invoice.id}", body, unitdp=4)).invoices[0]
        return Sent(made.invoice_id, total=models.total_of(made))

    async def put_payment(self, payment: Payment, invoice: Link, customer: Link, link: Link | None) -> Sent | None:
        """A payment there does not change: it is deleted, and another is made."""
        del customer
        found = await self._payment_of(payment, invoice)
        if found is not None and found.amount == payment.kept:
            return Sent(found.payment_id)
        if link is not None:
            sent = Decimal(link.sent["kept"])
            if found is None and sent and payment.kept:
                await self._deleted_by_us(payment, link)
            if found is not None and found.amount != sent:
                message = "The payment was changed there."
                raise RefusedError("payment-changed", message, ours=str(payment.kept), theirs=str(found.amount))
        if found is not None:
            await self._delete(payment, found.payment_id)
        if not payment.kept:
            return Sent(link.external_id) if link else None
        body = models.payment(payment, invoice.external_id, self._bank)
        made = await self._put(AccountingApi.create_payment, f"payment/{payment.id}/{payment.kept}", body)
        return Sent(made.payments[0].payment_id)

    async def changes(self, since: datetime, place: Place) -> Changes:
        when = place.reached.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        options = {"if_modified_since": when, "page": place.page + 1, "page_size": _PAGE, "order": "UpdatedDateUTC ASC"}
        invoices = (await self._ask(AccountingApi.get_invoices, where='Type=="ACCREC"', **options)).invoices or []
        received = 'PaymentType=="ACCRECPAYMENT"'
        payments = (await self._ask(AccountingApi.get_payments, where=received, **options)).payments or []
        times = [[models.changed_at(each) for each in found] for found in (invoices, payments)]
        return Changes(
            [models.invoice_there(each) for each in invoices],
            [models.incoming(each) for each in payments],
            rules.following(place, times, _PAGE),
        )

    async def _deleted_by_us(self, payment: Payment, link: Link) -> None:
        """Raises RefusedError unless this job has deleted it: only then the same key gets the first answer."""
        try:
            await self._delete(payment, link.external_id)
        except RefusedError as error:
            message = "The payment was deleted there."
            raise RefusedError("payment-deleted", message, ours=str(payment.kept)) from error

    async def _delete(self, payment: Payment, payment_id: str) -> None:
        step, body = f"payment/{payment.id}/{payment_id}", PaymentDelete(status="DELETED")
        await self._put(AccountingApi.delete_payment, step, payment_id, body)

    async def _payment_of(self, payment: Payment, invoice: Link) -> Any:
        where = f'Invoice.InvoiceID==guid("{invoice.external_id}") AND Status=="AUTHORISED"'
        found = (await self._ask(AccountingApi.get_payments, where=where)).payments or []
        return next((each for each in found if models.is_marked(each, payment.id)), None)

    async def _void_invoice(self, link: Link) -> Sent:
        try:
            current = (await self._ask(AccountingApi.get_invoice, link.external_id)).invoices[0]
        except NotFoundException:
            return Sent(link.external_id)
        if models.invoice_there(current).is_void:
            return Sent(link.external_id)
        total = models.total_of(current)
        if total != Decimal(link.sent["total"]):
            message = "The invoice has another total there, and is void here."
            raise RefusedError("invoice-changed", message, ours="void", theirs=str(total))
        body = Invoices(invoices=[XeroInvoice(invoice_id=link.external_id, status="VOIDED")])
        await self._put(AccountingApi.update_invoice, f"void/{link.resource_id}", link.external_id, body)
        return Sent(link.external_id)

    async def _put(self, ask: Callable[..., Any], step: str, *arguments: Any, **options: Any) -> Any:
        key = ids.child_key(self._job.id, f"{step}/{arguments}")
        return await self._ask(ask, *arguments, idempotency_key=key, **options)

    async def _ask(self, ask: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """In a thread, since the SDK waits. An access token that has ended is replaced once."""
        fresh = self._client is None
        client = self._client or await self._connect()
        try:
            return await asyncio.to_thread(client.call, ask, *arguments, **options)
        except SessionEndedError as error:
            if fresh:
                raise reconnect_needed(self.name) from error
        self._client = None
        return await self._ask(ask, *arguments, **options)

    async def _connect(self) -> Client:
        workspace_id, where = self._job.workspace_id, self._where
        credentials, version = await self._connections.get(workspace_id, self.name, "tenantId")
        tokens = await asyncio.to_thread(connect, credentials, token_url=where.token_url)
        if tokens["refresh_token"] != credentials.refresh_token:
            await self._connections.keep(workspace_id, self.name, tokens["refresh_token"], version)
        self._client = Client(tokens, credentials.account, base_url=where.base_url, seconds=where.seconds)
        return self._client


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
