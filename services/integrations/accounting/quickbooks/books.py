"""QuickBooks Online as the books of a workspace.

What is created has a `requestid` that is the same for each try of a job, and is looked for before: by its number, or by
the note that it carries. So neither a lost answer nor a crash makes it be there twice."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from quickbooks.exceptions import AuthorizationException, QuickbooksException

from kit import clock, ids, json_encoding
from kit.errors import Unavailable
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
from services.integrations.accounting.quickbooks import bodies
from services.integrations.accounting.quickbooks.bodies import Json
from services.integrations.accounting.quickbooks.client import Client, connect
from services.integrations.jobs.steps import JobFailedError
from services.integrations.jobs.store import Job

_PAGE = 100
# Its change data capture goes back so far.
_DELETIONS_KNOWN = timedelta(days=30)
_DUPLICATE_NUMBER, _STALE, _DUPLICATE_NAME = 6140, 5010, 6240
_UNREADABLE = 10000
_LONGEST_REQUEST_ID = 50

T = TypeVar("T")


class QuickBooksBooks:
    """`item`: the product or service that lines are of; `codes`: the names of the rates of tax."""

    name = bodies.NAME
    most = 20

    def __init__(self, job: Job, connections: Connections, where: Where, *, item: str, codes: Sequence[str]) -> None:
        self._job = job
        self._connections = connections
        self._where = where
        self._item = item
        self._codes = codes
        self._client: Client | None = None
        self._item_id: str | None = None

    async def put_customer(self, customer: Customer, link: Link | None) -> Sent:
        if link is None:
            # One that the bookkeeper has made before is taken as it is.
            if found := await self._find("Customer", f"DisplayName = {_quoted(customer.name)}"):
                return _sent(found[0])
            return _sent(await self._put("Customer", bodies.customer(customer), customer.id))
        current = await self._current("Customer", link.external_id)
        if current is None:
            raise RefusedError("customer-deleted", "The customer is not there any more.", ours=customer.name)
        if current["DisplayName"] not in (link.sent["name"], customer.name):
            raise RefusedError(
                "customer-changed",
                "The customer was changed on both sides.",
                ours=customer.name,
                theirs=current["DisplayName"],
            )
        return _sent(await self._put("Customer", _sparse(current, bodies.customer(customer)), customer.id))

    async def put_invoice(self, invoice: Invoice, customer: Link, link: Link | None) -> Sent | None:
        if link is not None:
            return await self._void_invoice(link)
        if invoice.voided_on is not None:
            return None
        if found := await self._find("Invoice", f"DocNumber = {_quoted(invoice.number)}"):
            if not bodies.is_marked(found[0], invoice.id):
                theirs = str(found[0].get("TotalAmt"))
                raise RefusedError(
                    "invoice-number-taken",
                    f"Another invoice there has the number {invoice.number}.",
                    ours=str(invoice.total),
                    theirs=theirs,
                )
            return _sent(found[0], total=Decimal(found[0]["TotalAmt"]))
        body = bodies.invoice(invoice, customer.external_id, await self._item_ref(), self._codes)
        made = await self._put("Invoice", body, invoice.id)
        return _sent(made, total=Decimal(made["TotalAmt"]))

    async def put_payment(self, payment: Payment, invoice: Link, customer: Link, link: Link | None) -> Sent | None:
        body = bodies.payment(payment, customer.external_id, invoice.external_id)
        if link is None:
            if not payment.kept:
                return None
            where = f"CustomerRef = {_quoted(customer.external_id)} AND TxnDate = {_quoted(payment.received_on)}"
            found = [each for each in await self._find("Payment", where) if bodies.is_marked(each, payment.id)]
            made = found[0] if found else await self._put("Payment", body, payment.id)
            return _sent_part(made, invoice)
        current = await self._current("Payment", link.external_id.partition("/")[0])
        if current is None and not payment.kept:
            return Sent(link.external_id)
        if current is None:
            raise RefusedError("payment-deleted", "The payment was deleted there.", ours=str(payment.kept))
        kept = bodies.kept_of(current)
        # So it is when a step was not recorded.
        if kept == payment.kept:
            return _sent_part(current, invoice)
        if kept != Decimal(link.sent["kept"]):
            raise RefusedError(
                "payment-changed", "The payment was changed there.", ours=str(payment.kept), theirs=str(kept)
            )
        if payment.kept:
            return _sent_part(await self._put("Payment", _sparse(current, body), payment.id), invoice)
        void = {"operation": "update", "include": "void"}
        return _sent_part(await self._put("Payment", _sparse(current, {}), payment.id, params=void), invoice)

    async def changes(self, since: datetime, place: Place) -> Changes:
        where = f"MetaData.LastUpdatedTime >= {_quoted(_written(place.reached))} ORDERBY MetaData.LastUpdatedTime"
        page = f"STARTPOSITION {place.page * _PAGE + 1} MAXRESULTS {_PAGE}"
        invoices = await self._find("Invoice", f"{where} {page}")
        payments = await self._find("Payment", f"{where} {page}")
        times = [[bodies.changed_at(each) for each in found] for found in (invoices, payments)]
        following = rules.following(place, times, _PAGE)
        if following is None:
            # A query does not find what is deleted.
            invoices += await self._deleted("Invoice", since)
            payments += await self._deleted("Payment", since)
        incoming = [part for each in payments for part in bodies.payments(each)]
        return Changes([bodies.invoice_there(each) for each in invoices], incoming, following)

    async def _void_invoice(self, link: Link) -> Sent:
        current = await self._current("Invoice", link.external_id)
        if current is None or bodies.invoice_there(current).is_void:
            return Sent(link.external_id)
        total = Decimal(current["TotalAmt"])
        if total != Decimal(link.sent["total"]):
            raise RefusedError(
                "invoice-changed",
                "The invoice has another total there, and is void here.",
                ours="void",
                theirs=str(total),
            )
        body = {"Id": current["Id"], "SyncToken": current["SyncToken"]}
        return _sent(await self._put("Invoice", body, current["Id"], params={"operation": "void"}))

    async def _item_ref(self) -> str:
        if self._item_id is None:
            found = await self._find("Item", f"Name = {_quoted(self._item)}")
            if not found:
                raise JobFailedError(
                    "item-missing",
                    f"There is no product or service {self._item}: the setting accounting.quickbooksItem names one.",
                )
            self._item_id = str(found[0]["Id"])
        return self._item_id

    async def _current(self, kind: str, external_id: str) -> Json | None:
        found = await self._find(kind, f"Id = {_quoted(external_id)}")
        return found[0] if found else None

    async def _find(self, kind: str, where: str) -> list[Json]:
        answer = await self._ask(lambda client: client.query(f"SELECT * FROM {kind} WHERE {where}"))
        return list(answer["QueryResponse"].get(kind, ()))

    async def _deleted(self, kind: str, since: datetime) -> list[Json]:
        start = max(since, clock.now() - _DELETIONS_KNOWN)
        answer = await self._ask(lambda client: client.change_data_capture(kind, _written(start)))
        found = [each for part in answer["CDCResponse"][0]["QueryResponse"] for each in part.get(kind, ())]
        return [each for each in found if each.get("status") == "Deleted"]

    async def _put(self, kind: str, body: Json, resource_id: str, params: Json | None = None) -> Json:
        text = json_encoding.dumps(_plain(body)).decode()
        request_id = ids.child_key(self._job.id, f"{kind}/{resource_id}/{text}/{params}")[-_LONGEST_REQUEST_ID:]
        answer = await self._ask(
            lambda client: client.create_object(kind, text, request_id=request_id, params=dict(params or {}))
        )
        return dict(answer[kind])

    async def _ask(self, ask: Callable[[Client], T]) -> T:
        """In a thread, since the SDK waits. An access token that has ended is replaced once."""
        fresh = self._client is None
        client = self._client or await self._connect()
        try:
            return await asyncio.to_thread(ask, client)
        except AuthorizationException as error:
            if fresh:
                raise reconnect_needed(self.name) from error
        except QuickbooksException as error:
            raise _problem(error) from error
        self._client = None
        return await self._ask(ask)

    async def _connect(self) -> Client:
        workspace_id = self._job.workspace_id
        credentials, version = await self._connections.get(workspace_id, self.name, "realmId")
        client, token = await asyncio.to_thread(
            connect,
            credentials,
            base_url=self._where.base_url,
            discovery_url=self._where.token_url,
            seconds=self._where.seconds,
        )
        if token != credentials.refresh_token:
            await self._connections.keep(workspace_id, self.name, token, version)
        try:
            await asyncio.to_thread(_check_numbers, client)
        except AuthorizationException as error:
            raise reconnect_needed(self.name) from error
        except QuickbooksException as error:
            raise _problem(error) from error
        self._client = client
        return client


def _check_numbers(client: Client) -> None:
    """Our numbers count there only if it is allowed to give one's own."""
    answer = client.query("SELECT * FROM Preferences")
    for found in answer["QueryResponse"].get("Preferences", ()):
        if found.get("SalesFormsPrefs", {}).get("CustomTxnNumbers") is False:
            raise JobFailedError(
                "custom-numbers-off", "Turn on custom transaction numbers in QuickBooks: invoices have our numbers."
            )


def _problem(error: QuickbooksException) -> Exception:
    if error.error_code == _STALE:
        return Unavailable("Somebody has just changed the same in QuickBooks.", retry_after=1)
    if error.error_code == _UNREADABLE:
        return Unavailable("QuickBooks' answer cannot be read.", retry_after=5)
    codes = {_DUPLICATE_NAME: "customer-name-taken", _DUPLICATE_NUMBER: "invoice-number-taken"}
    return RefusedError(codes.get(error.error_code, "not-taken"), f"{error.message} {error.detail}".strip()[:1000])


def _sparse(current: Json, body: Json) -> Json:
    return {**body, "Id": current["Id"], "SyncToken": current["SyncToken"], "sparse": True}


def _sent(found: Json, total: Decimal | None = None) -> Sent:
    return Sent(str(found["Id"]), str(found.get("SyncToken")), total=total)


def _sent_part(found: Json, invoice: Link) -> Sent:
    return Sent(f"{found['Id']}/{invoice.external_id}", str(found.get("SyncToken")))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _written(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds")


def _plain(value: Any) -> Any:
    """Decimals as QuickBooks takes them, in texts."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
