"""`python -m services.ops.demo`: load the demo workspace, once. Progress on stdout.

It goes the way of any mutation: the handlers, in units of work, with keys that make a second run change nothing.
Only the clock is set back, so that the tickets have a past.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from kit import clock
from kit.call import Call
from kit.database import Database
from kit.identity import Principal
from kit.live_settings import DefaultSettings
from kit.settings import read
from kit.unit_of_work import fingerprint, unit_of_work
from opsfield.ops.v1 import clients_pb2, tickets_pb2
from services.ops.demo import content
from services.ops.settings import Settings
from services.ops.wiring import NAME, handlers

WORKSPACE = "demo"
_CLIENTS = "/opsfield.ops.v1.ClientService"
_TICKETS = "/opsfield.ops.v1.TicketService"
_DAY = timedelta(days=1)


class DemoLoader:
    """Calls handlers as someone, at some time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._handlers = handlers(DefaultSettings())

    async def is_loaded(self) -> bool:
        async with self._database.read(self._call("read", "demo", "demo")) as session:
            count: int = await session.fetchval("SELECT count(*) FROM tickets")
        return count >= content.TICKETS

    async def call(self, method: str, request: Message, *, key: str, subject: str, at: datetime) -> str:
        """Do it as at that time: the resource's id."""
        call = self._call(method, key, subject)
        with clock.at(at):
            async with unit_of_work(self._database, call, service=NAME) as work:
                await work.claim_key(fingerprint(call, request, b""))
                handler: Callable[[Message, object], Awaitable[Message]] = self._handlers[method]
                if work.replay is None:
                    response = await handler(request, work)
                    work.answer(response.SerializeToString(deterministic=True), None)
        answer = work.replay or response.SerializeToString()
        # The id is the first field of every resource.
        return tickets_pb2.Ticket.FromString(answer).id

    def _call(self, method: str, key: str, subject: str) -> Call:
        principal = Principal(subject=subject, roles=frozenset({"ops_engineer"}), workspace_id=WORKSPACE)
        return Call(method=method, principal=principal, correlation_id=f"demo-{key}"[:128], idempotency_key=key)


async def load(database: Database) -> None:
    """Load what is not there yet."""
    loader = DemoLoader(database)
    if await loader.is_loaded():
        print("The demo workspace is there already.", flush=True)
        return
    now = clock.now()
    client_ids = [await _load_client(loader, index, now) for index in range(len(content.CLIENTS))]
    print(f"{len(client_ids)} clients", flush=True)
    for count, ticket in enumerate(content.tickets(), 1):
        await _load_ticket(loader, count, ticket, client_ids[ticket.client], now)
        if count % 50 == 0:
            print(f"{count} of {content.TICKETS} tickets", flush=True)


async def _load_client(loader: DemoLoader, index: int, now: datetime) -> str:
    name, short, industry, city, country, currency, rate, status = content.CLIENTS[index]
    client = clients_pb2.Client(
        name=name,
        abbreviation=short,
        industry=industry,
        billing_address=clients_pb2.Address(city=city, country=country),
        email=f"office@{short.lower()}.example",
        website=f"https://{short.lower()}.example",
        currency=currency,
        hourly_rate=rate,
        payment_terms_days=14 if index % 3 else 30,
        status="ACTIVE" if status == "suspended" else status.upper(),
    )
    at = now - (content.DAYS + 30 - index) * _DAY
    key = f"demo-client-{index}"
    request = clients_pb2.CreateClientRequest(client=client)
    created = await loader.call(f"{_CLIENTS}/CreateClient", request, key=key, subject="demo", at=at)
    client_id = created
    if status == "suspended":
        suspended = clients_pb2.Client(status=clients_pb2.Client.SUSPENDED)
        update = clients_pb2.UpdateClientRequest(
            id=client_id, client=suspended, update_mask=FieldMask(paths=["status"])
        )
        await loader.call(
            f"{_CLIENTS}/UpdateClient", update, key=f"{key}-suspended", subject="demo", at=now - 10 * _DAY
        )
    return client_id


async def _load_ticket(
    loader: DemoLoader, count: int, ticket: content.DemoTicket, client_id: str, now: datetime
) -> None:
    message = tickets_pb2.Ticket(
        subject=ticket.subject,
        description=ticket.description,
        client_id=client_id,
        category=ticket.category,
        priority=ticket.priority.upper(),
        source=ticket.source.upper(),
        tags=ticket.tags,
    )
    born, key = now - ticket.age, f"demo-ticket-{count}"
    request = tickets_pb2.CreateTicketRequest(ticket=message)
    created = await loader.call(f"{_TICKETS}/CreateTicket", request, key=key, subject="demo", at=born)
    ticket_id = created
    subject = ticket.assignee or "demo"
    for step, (state, later) in enumerate(ticket.steps, 1):
        change = tickets_pb2.Ticket(
            status=state.upper(),
            assignee_id=ticket.assignee,
            resolution=ticket.resolution if state in ("resolved", "closed") else None,
        )
        paths = ["status", "assignee_id"] + (["resolution"] if state in ("resolved", "closed") else [])
        update = tickets_pb2.UpdateTicketRequest(id=ticket_id, ticket=change, update_mask=FieldMask(paths=paths))
        await loader.call(f"{_TICKETS}/UpdateTicket", update, key=f"{key}-{step}", subject=subject, at=born + later)
        if step == 2 and ticket.escalated:
            escalation = tickets_pb2.EscalateTicketRequest(id=ticket_id, reason=ticket.escalated)
            await loader.call(
                f"{_TICKETS}/EscalateTicket", escalation, key=f"{key}-up", subject=subject, at=born + later
            )


async def main() -> None:
    database = await Database.connect(read(Settings).database_url, size=1)
    try:
        await load(database)
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
