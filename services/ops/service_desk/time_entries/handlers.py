"""What time entries have beside the standard way of a kind: their ticket keeps the sums."""

from collections.abc import Callable, Sequence

from google.protobuf.message import Message

from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Kind, Row
from kit.unit_of_work import UnitOfWork
from services.ops.service_desk.tickets.handlers import TicketHandlers
from services.ops.service_desk.time_entries import rules

_SUMS = """
SELECT coalesce(sum(minutes), 0) AS total, coalesce(sum(billable_minutes), 0) AS billable FROM time_entries
WHERE workspace_id = $1 AND ticket_id = $2 AND id IS DISTINCT FROM $3 AND deleted_at IS NULL
"""


class TimeEntryHandlers(ResourceHandlers):
    """TimeEntryService."""

    def __init__(self, kind: Kind, kinds: Sequence[Kind], tickets: TicketHandlers) -> None:
        super().__init__(kind, kinds)
        self._tickets = tickets

    async def insert(self, work: UnitOfWork, row: Row) -> Message:
        await self._lock_tickets(work, row)
        return await super().insert(work, row)

    async def amend(self, work: UnitOfWork, before: Row, apply: Callable[[Row], None]) -> Message:
        preview = dict(before)
        apply(preview)
        await self._lock_tickets(work, before, preview)
        return await super().amend(work, before, apply)

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        after["user_id"] = after["user_id"] or (before["user_id"] if before else work.call.principal.subject)
        # To put an entry on an invoice, its ticket may be closed.
        if before is None or before["invoiced_at"] == after["invoiced_at"]:
            for ticket_id in _tickets_of(before, after):
                rules.check_ticket(await self._tickets.lock(work, ticket_id))

    async def follow(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        for ticket_id in _tickets_of(before, after):
            await self._sum_up(work, ticket_id)

    async def before_delete(self, work: UnitOfWork, row: Row) -> None:
        rules.check_deletion(row)
        rules.check_ticket(await self._tickets.lock(work, row["ticket_id"]))
        await self._sum_up(work, row["ticket_id"], without=row["id"])

    async def _lock_tickets(self, work: UnitOfWork, *entries: Row) -> None:
        """Hold the tickets, in one order, before the check of references takes a weaker lock: two that then both wanted
        the stronger one would wait in a ring. One that is not there is for that check to find."""
        for ticket_id in sorted({entry["ticket_id"] for entry in entries if entry["ticket_id"]}):
            await self._tickets.store.lock(work, ticket_id)

    async def _sum_up(self, work: UnitOfWork, ticket_id: str, *, without: str | None = None) -> None:
        sums = await work.fetchrow(_SUMS, work.call.workspace_id, ticket_id, without)
        assert sums is not None

        def set_sums(ticket: Row) -> None:
            ticket |= {"total_minutes": sums["total"], "billable_minutes": sums["billable"]}

        await self._tickets.amend(work, await self._tickets.lock(work, ticket_id), set_sums)


def _tickets_of(before: Row | None, after: Row) -> list[str]:
    return sorted({entry["ticket_id"] for entry in (before, after) if entry})
