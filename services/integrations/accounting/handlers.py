"""AccountingService."""

from kit.database import Session
from kit.errors import FieldError, Invalid, NotFound
from kit.live_settings import SettingsReader
from kit.paging import Listing
from kit.unit_of_work import UnitOfWork
from opsfield.integrations.v1 import accounting_pb2 as pb2
from opsfield.integrations.v1.jobs_pb2 import Job as JobMessage
from services.integrations.accounting import books, conflicts, links
from services.integrations.accounting.conflicts import Row
from services.integrations.accounting.journal import bank_file
from services.integrations.accounting.journal import store as journal
from services.integrations.jobs import rules as job_rules
from services.integrations.jobs import store as jobs
from services.integrations.jobs.handlers import message_of, sync_under_way
from services.integrations.uploads import store as uploads

KIND = "accounting"


class AccountingHandlers:
    def __init__(self, settings: SettingsReader) -> None:
        self._settings = settings

    async def sync_accounting(self, request: pb2.SyncAccountingRequest, work: UnitOfWork) -> JobMessage:
        provider = await books.provider_of(self._settings, work.call.workspace_id)
        upload_id = request.upload_id if request.HasField("upload_id") else None
        if upload_id is not None:
            await self._use(work, upload_id, provider)
        if (other := await jobs.under_way(work, KIND)) is not None:
            raise sync_under_way(other)
        job = await jobs.add(
            work, of_type=job_rules.SYNC, kind=KIND, in_format="csv", upload_id=upload_id, provider=provider
        )
        return message_of(job)

    async def get_accounting(self, request: pb2.GetAccountingRequest, session: Session) -> pb2.AccountingState:
        del request
        provider = await books.provider_of(self._settings, session.call.workspace_id)
        counts = await links.counts(session, provider)
        latest = await jobs.latest_of_provider(session, provider)
        return pb2.AccountingState(
            provider=provider,
            last_job_id=latest.job_id,
            last_synced_at=latest.succeeded_at,
            cursor=await links.latest_cursor(session, provider),
            clients=counts.get("clients", 0),
            invoices=counts.get("invoices", 0),
            payments=counts.get("payments", 0),
            open_conflicts=await conflicts.count_open(session, provider),
        )

    async def list_accounting_conflicts(
        self, request: pb2.ListAccountingConflictsRequest, session: Session
    ) -> pb2.ListAccountingConflictsResponse:
        listing = Listing.of(request, pb2.AccountingConflict.DESCRIPTOR)
        rows, total = await conflicts.LISTING.page(session, listing)
        return pb2.ListAccountingConflictsResponse(**listing.answer([_conflict(dict(row)) for row in rows], total))

    async def dismiss_accounting_conflict(
        self, request: pb2.DismissAccountingConflictRequest, work: UnitOfWork
    ) -> pb2.AccountingConflict:
        row = await conflicts.dismiss(work, request.id)
        if row is None:
            raise NotFound(f"There is no open conflict {request.id}.")
        work.audit(request.id, None)
        return _conflict(row)

    async def list_journal_lines(
        self, request: pb2.ListJournalLinesRequest, session: Session
    ) -> pb2.ListJournalLinesResponse:
        listing = Listing.of(request, pb2.JournalLine.DESCRIPTOR)
        rows, total = await journal.LINES.page(session, listing)
        return pb2.ListJournalLinesResponse(**listing.answer([pb2.JournalLine(**row) for row in rows], total))

    async def _use(self, work: UnitOfWork, upload_id: str, provider: str) -> None:
        """The upload is read by a job from now on. Raises Invalid for what is no bank's file for the journal."""
        upload = await uploads.lock(work, upload_id)
        if provider != "journal":
            raise Invalid.fields(FieldError("uploadId", f"is for the journal; {provider} tells payments by itself"))
        if upload is None:
            raise Invalid.fields(FieldError("uploadId", "names no upload of this workspace"))
        if upload["size"] > bank_file.MOST_BYTES:
            raise Invalid.fields(FieldError("uploadId", f"names one of more than {bank_file.MOST_BYTES} bytes"))
        await uploads.use(work, upload_id)


def _conflict(row: Row) -> pb2.AccountingConflict:
    return pb2.AccountingConflict(**{**row, "status": row["status"].upper()})
