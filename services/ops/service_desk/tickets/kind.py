"""The kind `tickets`."""

from collections.abc import Iterable

from google.protobuf.message import Message

from kit.resources.kind import Kind, Row
from opsfield.ops.v1.tickets_pb2 import Ticket, TicketCreated
from services.ops.service_desk.tickets import rules


def announce(before: Row | None, after: Row, ticket: Ticket) -> Iterable[Message]:
    """The events that a change of a ticket gives rise to."""
    del after
    if before is None:
        yield TicketCreated(ticket=ticket)


TICKETS = Kind(
    message=Ticket,
    rules=rules.judge,
    defaults={"status": "new", "priority": "medium", "source": "api", "tier": 1},
    announce=announce,
)
