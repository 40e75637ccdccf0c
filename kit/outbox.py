"""The outbox as seen from outside: its list, and the retry of an event that could not be sent."""

from typing import Any

from kit.database import Session
from kit.errors import NotFound
from kit.paging import Listing
from kit.table_listing import TableListing
from kit.unit_of_work import UnitOfWork
from opsfield.common.v1 import outbox_pb2

_COLUMNS = """id, topic, key, state::text AS state, attempts, last_error, correlation_id, created_at, next_attempt_at,
published_at"""
_RETRY = f"""
UPDATE outbox SET state = 'pending', attempts = 0, last_error = NULL, next_attempt_at = now()
WHERE workspace_id = $1 AND id = $2 AND state = 'failed' RETURNING {_COLUMNS}
"""
_LISTING = TableListing(
    "outbox",
    _COLUMNS,
    search="lower(payload::text)",
    # "service" is the same for all rows here; the gateway sorts by it when it merges.
    sorts={"service": "created_at"},
)
_STATES = {value.name.lower(): value.number for value in outbox_pb2.OutboxEvent.State.DESCRIPTOR.values}


class OutboxHandlers:
    """OutboxService, the same in every service."""

    def __init__(self, service: str) -> None:
        self._service = service

    async def list_outbox_events(
        self, request: outbox_pb2.ListOutboxEventsRequest, session: Session
    ) -> outbox_pb2.ListOutboxEventsResponse:
        listing = Listing.of(request, outbox_pb2.OutboxEvent.DESCRIPTOR)
        rows, total = await _LISTING.page(session, listing)
        return outbox_pb2.ListOutboxEventsResponse(**listing.answer([self._event(row) for row in rows], total))

    async def retry_outbox_event(
        self, request: outbox_pb2.RetryOutboxEventRequest, work: UnitOfWork
    ) -> outbox_pb2.OutboxEvent:
        row = await work.fetchrow(_RETRY, work.call.workspace_id, request.id)
        if row is None:
            raise NotFound(f"There is no failed event {request.id} here.")
        return self._event(row)

    def _event(self, row: Any) -> outbox_pb2.OutboxEvent:
        values = dict(row)
        return outbox_pb2.OutboxEvent(service=self._service, **{**values, "state": _STATES[values["state"]]})
