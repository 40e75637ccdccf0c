"""PortalSummaryService: read from the rows themselves, so that one's own change shows at once."""

from datetime import date
from decimal import Decimal
from typing import Any

from kit import clock, contract
from kit.database import Session
from opsfield.ops.v1 import portal_summary_pb2 as pb2
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.ops.billing import money
from services.ops.billing.quotes.kind import QUOTES
from services.ops.change.changes.kind import CHANGES
from services.ops.portal import store
from services.ops.service_desk.tickets.kind import TICKETS
from services.ops.service_desk.tickets.rules import DONE

_MOST_APPROVALS = 20
_STATUS = contract.enum_words(Ticket.DESCRIPTOR.fields_by_name["status"])
_KIND = pb2.PortalSummary.Approval.Kind


class PortalSummaryHandlers:
    """A handful of statements, in one transaction."""

    async def get_portal_summary(self, request: pb2.GetPortalSummaryRequest, session: Session) -> pb2.PortalSummary:
        client_id = request.client_id if request.HasField("client_id") else None
        today = clock.now().date()
        counts = await store.ticket_counts(session, client_id)
        owed = await store.owed(session, client_id, today)
        approvals, waiting = await _approvals(session, client_id, today)
        return pb2.PortalSummary(
            counters=pb2.PortalSummary.Counters(
                open_tickets=sum(count for status, count in counts.items() if status not in DONE),
                tickets_waiting_on_client=counts.get("waiting_on_client", 0),
                approvals=waiting,
                unpaid_invoices=sum(row["unpaid"] for row in owed),
                overdue_invoices=sum(row["overdue"] for row in owed),
                pending_payments=await store.pending_payments(session, client_id),
            ),
            approvals=approvals,
            tickets=pb2.PortalSummary.Tickets(
                by_status=[
                    pb2.PortalSummary.TicketCount(status=number, count=counts.get(word, 0))  # type: ignore[arg-type] # an enum's
                    for word, number in _STATUS.items()
                ],
                recent=[_recent(row) for row in await store.recent_tickets(session, client_id)],
            ),
            invoices=[_owed(row) for row in owed],
        )


async def _approvals(
    session: Session, client_id: str | None, today: date
) -> tuple[list[pb2.PortalSummary.Approval], int]:
    quotes, changes = await store.waiting(session, client_id, today, _MOST_APPROVALS)
    found = [
        *(_approval(_KIND.QUOTE, QUOTES.written_number, row) for row in quotes),
        *(_approval(_KIND.CHANGE, CHANGES.written_number, row) for row in changes),
    ]
    return found[:_MOST_APPROVALS], sum(rows[0]["waiting"] for rows in (quotes, changes) if rows)


def _approval(kind: int, written: Any, row: dict[str, Any]) -> pb2.PortalSummary.Approval:
    values = {name: value for name, value in row.items() if name not in ("number", "waiting")}
    return pb2.PortalSummary.Approval(kind=kind, number=written(row["number"]), **values)  # type: ignore[arg-type]


def _recent(row: Any) -> pb2.PortalSummary.RecentTicket:
    values = {**row, "number": TICKETS.written_number(row["number"]), "status": _STATUS[row["status"]]}
    return pb2.PortalSummary.RecentTicket(**values)


def _owed(row: Any) -> pb2.PortalSummary.Owed:
    currency = row["currency"]
    amounts = {name: money.written(Decimal(row[name]), currency) for name in ("balance", "overdue_balance")}
    return pb2.PortalSummary.Owed(**{**row, **amounts})
