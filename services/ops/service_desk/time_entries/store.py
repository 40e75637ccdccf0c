"""The SQL of time entries beyond the standard one: what an invoice needs to know of them."""

from collections.abc import Collection, Mapping

from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from services.ops.service_desk.time_entries.kind import TIME_ENTRIES

_ALIVE = (
    f"SELECT {', '.join(TIME_ENTRIES.columns)} FROM time_entries WHERE workspace_id = $1 AND deleted_at IS NULL AND"
)
# In one order, so that two invoices that share some do not wait in a ring.
_NAMED = f"{_ALIVE} id = ANY($2::uuid[]) ORDER BY id FOR UPDATE"
_OF_INVOICE = f"{_ALIVE} invoice_id = $2 ORDER BY id FOR UPDATE"
# Shared, so that no ticket moves to another client meanwhile.
_CLIENTS = "SELECT id, client_id FROM tickets WHERE workspace_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR SHARE"


async def lock(work: UnitOfWork, entry_ids: Collection[str]) -> dict[str, Row]:
    """Those of the entries that there are, by id, held against other changes until the end of the unit of work."""
    records = await work.fetch(_NAMED, work.call.workspace_id, list(entry_ids))
    return {record["id"]: dict(record) for record in records}


async def lock_of_invoice(work: UnitOfWork, invoice_id: str) -> list[Row]:
    """The entries that are on an invoice, held in the same way."""
    return [dict(record) for record in await work.fetch(_OF_INVOICE, work.call.workspace_id, invoice_id)]


async def clients_of(work: UnitOfWork, entries: Collection[Row]) -> Mapping[str, str]:
    """The client of each of the entries' tickets, by the ticket's id; it stays so until the unit of work ends."""
    ticket_ids = sorted({entry["ticket_id"] for entry in entries})
    records = await work.fetch(_CLIENTS, work.call.workspace_id, ticket_ids)
    return {record["id"]: record["client_id"] for record in records}
