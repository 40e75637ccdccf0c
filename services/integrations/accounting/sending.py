"""What is ours goes out: clients, invoices, payments, whatever of them the other side does not know yet."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from google.protobuf.message import Message

from kit.database import Database
from kit.errors import NotFound
from services.integrations.accounting import links, reading, rules
from services.integrations.accounting.outcome import Outcome
from services.integrations.accounting.port import Books, Customer, Link, Payment, RefusedError, Sent
from services.integrations.accounting.rules import Difference
from services.integrations.jobs import callers
from services.integrations.jobs.store import Job
from services.integrations.ops_client import OpsClient
from services.integrations.ops_kinds import all_kinds


@dataclass
class Sending:
    """For one step."""

    job: Job
    database: Database
    ops: OpsClient
    books: Books
    outcome: Outcome
    _known: dict[tuple[str, str], Link | None] = field(default_factory=dict)

    async def know(self, kind: str, resource_ids: Sequence[str]) -> None:
        """Look up at once what is there of them."""
        async with self.database.read(callers.of_job(self.job)) as session:
            found = await links.find(session, self.books.name, kind, resource_ids)
        self._known |= {(kind, each): found.get(each) for each in resource_ids}

    async def send(self, kind: str, message: Any) -> None:
        """Send a resource of ops. Drafts and the like are not looked at."""
        if kind == "clients":
            customer = reading.customer(message)
            if customer is not None:
                await self._send_customer(customer)
        elif kind == "invoices":
            await self._send_invoice(message)
        else:
            await self._send_payment(message)

    async def send_again(self, kind: str, resource_id: str) -> None:
        """Send what could not be sent before; what is there no more is no matter any more."""
        try:
            message: Message = await self.ops.get(self.job, all_kinds()[kind], resource_id)
        except NotFound:
            self.outcome.solve(kind, resource_id)
            return
        await self.send(kind, message)

    async def _send_customer(self, customer: Customer) -> Link | None:
        async def put(link: Link | None) -> Sent:
            sent = await self.books.put_customer(customer, link)
            if link is None and await self._is_of_another(customer, sent):
                raise RefusedError(
                    "customer-name-taken", f"{customer.name} is there already, for another client.", ours=customer.name
                )
            return sent

        return await self._put("clients", customer.id, rules.customer_as_sent(customer), put)

    async def _send_invoice(self, message: Any) -> Link | None:
        invoice = reading.invoice(message)
        if invoice is None:
            return None

        async def put(link: Link | None) -> Sent | None:
            customer = await self._customer_of(invoice.client_id)
            return await self.books.put_invoice(invoice, customer, link)

        return await self._put("invoices", invoice.id, rules.invoice_as_sent(invoice), put)

    async def _send_payment(self, message: Any) -> Link | None:
        payment = reading.payment(message)
        if payment is None:
            return None
        if rules.is_theirs(payment, self.books.name):
            return await self._compare_payment(payment)

        async def put(link: Link | None) -> Sent | None:
            customer = await self._customer_of(payment.client_id)
            invoice = await self._invoice_of(payment.invoice_id)
            return await self.books.put_payment(payment, invoice, customer, link)

        return await self._put("payments", payment.id, rules.payment_as_sent(payment), put)

    async def _compare_payment(self, payment: Payment) -> Link | None:
        """One that came from there does not go back; what was given back of it since is for a person to record."""
        self.outcome.done += 1
        self.outcome.solve("payments", payment.id)
        link = await self._link("payments", payment.id)
        if link is None:
            return None
        self.outcome.note(self.books.name, "payments", replace(link, sent={**link.sent, "kept": str(payment.kept)}))
        if difference := rules.refund_difference(payment, link):
            self.outcome.differs(difference)
        elif payment.kept == Decimal(link.sent["there"]):
            self.outcome.solve("payments", rules.there(link))
        return link

    async def _put(
        self,
        kind: str,
        resource_id: str,
        wanted: dict[str, Any],
        put: Callable[[Link | None], Awaitable[Sent | None]],
    ) -> Link | None:
        """What there is of it there, then. None when it was refused, or there is no need for it."""
        self.outcome.done += 1
        link = await self._link(kind, resource_id)
        self.outcome.solve(kind, resource_id)
        if rules.is_done(link, wanted):
            return link
        try:
            sent = await put(link)
        except RefusedError as refused:
            self._refuse(kind, resource_id, link, refused)
            return None
        if sent is None:
            return None
        later = Link(resource_id, sent.external_id, wanted, sent.version, incoming=False)
        self._known[kind, resource_id] = later
        self.outcome.link(self.books.name, kind, later, is_new=link is None, entries=sent.entries)
        self.outcome.solve(kind, rules.there(later))
        if sent.total is not None and (differs := rules.total_difference(later, sent.total)):
            self.outcome.differs(differs)
        return later

    def _refuse(self, kind: str, resource_id: str, link: Link | None, refused: RefusedError) -> None:
        self.outcome.differs(
            Difference(
                refused.code,
                kind,
                resource_id,
                str(refused),
                resource_id=resource_id,
                external_id=link.external_id if link else None,
                ours=refused.ours,
                theirs=refused.theirs,
            )
        )

    async def _link(self, kind: str, resource_id: str) -> Link | None:
        if (kind, resource_id) not in self._known:
            await self.know(kind, [resource_id])
        return self._known[kind, resource_id]

    async def _customer_of(self, client_id: str) -> Link:
        """Send the client first, if need be. Raises RefusedError when that is not possible."""
        link = await self._link("clients", client_id)
        if link is None:
            client: Any = await self.ops.get(self.job, all_kinds()["clients"], client_id)
            link = await self._send_customer(reading.customer_at_any_rate(client))
        if link is None:
            raise RefusedError("waits-for-another", "Its client is not there yet.")
        return link

    async def _invoice_of(self, invoice_id: str) -> Link:
        link = await self._link("invoices", invoice_id)
        if link is None:
            link = await self._send_invoice(await self.ops.get(self.job, all_kinds()["invoices"], invoice_id))
        if link is None:
            raise RefusedError("waits-for-another", "Its invoice is not there yet.")
        return link

    async def _is_of_another(self, customer: Customer, sent: Sent) -> bool:
        """Whether what is there belongs to another client of ours already."""
        async with self.database.read(callers.of_job(self.job)) as session:
            found = await links.find_external(session, self.books.name, "clients", [sent.external_id])
        others = [*found.values(), *(link for (_, kind, _), link in self.outcome.links.items() if kind == "clients")]
        return any(each.external_id == sent.external_id and each.resource_id != customer.id for each in others)
