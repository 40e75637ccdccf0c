"""What was taken in, as lists: agents as senders, and batches."""

import asyncpg

from kit import contract
from kit.database import Session
from kit.paging import Listing
from kit.table_listing import TableListing
from opsfield.telemetry.v1.ingest_pb2 import (
    EventError,
    IngestBatch,
    IngestStatus,
    ListIngestBatchesRequest,
    ListIngestBatchesResponse,
    ListIngestStatusRequest,
    ListIngestStatusResponse,
)
from services.telemetry.agents.speaking import agent_of
from services.telemetry.agents.store import STATUS_LISTING

_FORMATS = contract.enum_words(IngestBatch.DESCRIPTOR.fields_by_name["format"])
_BATCHES = TableListing(
    "ingest_batches",
    """id, agent_id, format::text AS format, accepted, rejected, bytes, errors, first_observed_at, last_observed_at,
    created_at""",
    search="lower(agent_id::text || coalesce(errors::text, ''))",
    nullable=frozenset({"last_observed_at"}),
)


class IngestListHandlers:
    """The reading half of IngestService."""

    async def list_ingest_status(self, request: ListIngestStatusRequest, session: Session) -> ListIngestStatusResponse:
        agent_id = agent_of(session.call.principal, request.agent_id if request.HasField("agent_id") else None)
        if agent_id is not None:
            request.agent_id = agent_id
        listing = Listing.of(request, IngestStatus.DESCRIPTOR)
        rows, total = await STATUS_LISTING.page(session, listing)
        return ListIngestStatusResponse(**listing.answer([IngestStatus(**dict(row)) for row in rows], total))

    async def list_ingest_batches(
        self, request: ListIngestBatchesRequest, session: Session
    ) -> ListIngestBatchesResponse:
        listing = Listing.of(request, IngestBatch.DESCRIPTOR)
        rows, total = await _BATCHES.page(session, listing)
        return ListIngestBatchesResponse(**listing.answer([_batch(row) for row in rows], total))


def _batch(row: asyncpg.Record) -> IngestBatch:
    errors = [EventError(**each) for each in row["errors"] or ()]
    return IngestBatch(**{**dict(row), "format": _FORMATS[row["format"]], "errors": errors})
