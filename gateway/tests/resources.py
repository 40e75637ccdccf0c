"""Messages that the tests' services answer with."""

from google.protobuf.timestamp_pb2 import Timestamp

from opsfield.common.v1 import outbox_pb2, page_pb2
from opsfield.ops.v1 import tickets_pb2

TICKET_ID = "0193a4a4-7d2b-7000-8000-000000000001"
CLIENT_ID = "0193a4a4-7d2b-7000-8000-000000000002"
TICKET_BODY = {"subject": "Printer on fire", "clientId": CLIENT_ID}


def ticket(version: int = 3) -> tickets_pb2.Ticket:
    return tickets_pb2.Ticket(
        id=TICKET_ID,
        number="T-1042",
        subject="Printer on fire",
        client_id=CLIENT_ID,
        status=tickets_pb2.Ticket.IN_PROGRESS,
        priority=tickets_pb2.Ticket.HIGH,
        source=tickets_pb2.Ticket.API,
        created_at=Timestamp(seconds=1_700_000_000),
        version=version,
    )


def outbox_page(*events: outbox_pb2.OutboxEvent, total: int | None = None) -> outbox_pb2.ListOutboxEventsResponse:
    """What a service answers that sorts by creation, newest first."""
    return outbox_pb2.ListOutboxEventsResponse(
        data=events,
        page=page_pb2.Page(total=len(events) if total is None else total, returned=len(events)),
        sort=page_pb2.Sort(by="createdAt", order=page_pb2.DESC),
    )
