"""The time entries that an invoice bills: named while it is a draft, taken when it is issued, given back when it is
voided. Of two invoices that name the same entry, the one that is issued first has it."""

from kit.errors import FieldError, Invalid
from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from services.ops.billing.lines import time_entries
from services.ops.service_desk.time_entries import rules, store
from services.ops.service_desk.time_entries.kind import TIME_ENTRIES

# Plain: what is billed changes no sum of a ticket, and a closed ticket's time is billed as well.
_ENTRIES = ResourceHandlers(TIME_ENTRIES, ())


async def check(work: UnitOfWork, invoice: Row) -> list[Row]:
    """The entries that the invoice's lines name, locked in the order of their ids. Raises Invalid for those that it
    cannot bill, each at its place: `lines[0].timeEntryIds[2]`."""
    named = time_entries(invoice["lines"])
    if not named:
        return []
    entries = await store.lock(work, [entry_id for _, entry_id in named])
    clients = await store.clients_of(work, entries.values())
    errors, seen = [], set[str]()
    for place, entry_id in named:
        entry = entries.get(entry_id)
        if entry is None:
            errors.append(FieldError(place, "names nothing among this workspace's time-entries"))
        elif entry_id in seen:
            errors.append(FieldError(place, "is on the invoice already"))
        elif reason := rules.why_not_billed(entry, client_id=clients[entry["ticket_id"]], invoice=invoice):
            errors.append(FieldError(place, reason))
        seen.add(entry_id)
    if errors:
        raise Invalid.fields(*errors)
    return list(entries.values())


async def take(work: UnitOfWork, invoice: Row) -> None:
    """Put the entries on the invoice, which is being issued: they no longer change. Raises as `check` does."""
    for entry in await check(work, invoice):
        await _ENTRIES.amend(work, entry, lambda row: rules.put_on_invoice(row, invoice["id"], now=work.now))


async def give_back(work: UnitOfWork, invoice_id: str) -> None:
    """Free the entries of an invoice that is void: another may bill them."""
    for entry in await store.lock_of_invoice(work, invoice_id):
        await _ENTRIES.amend(work, entry, rules.take_off_invoice)
