"""Which books a workspace has, opened for a job."""

from dataclasses import dataclass

from kit.database import Database
from kit.live_settings import SettingsReader
from opsfield.platform.v1.settings_pb2 import Accounting
from services.integrations.accounting.connection import Connections, Where
from services.integrations.accounting.journal import bank_file
from services.integrations.accounting.journal import store as journal
from services.integrations.accounting.journal.bank_file import UnreadableFileError
from services.integrations.accounting.journal.books import Journal
from services.integrations.accounting.journal.rules import Accounts
from services.integrations.accounting.port import Books, Entry, Incoming
from services.integrations.files import Files
from services.integrations.jobs import callers
from services.integrations.jobs.steps import JobFailedError
from services.integrations.jobs.store import Job
from services.integrations.uploads import store as uploads
from services.integrations.uploads.reading import UploadReader


async def provider_of(settings: SettingsReader, workspace_id: str) -> str:
    """`journal`, `quickbooks` or `xero`."""
    found = await settings.workspace(workspace_id)
    return Accounting.Provider.Name(found.value.settings.accounting.provider).lower()


@dataclass(frozen=True)
class Opener:
    """Opens the books that a job is for."""

    database: Database
    files: Files
    settings: SettingsReader
    connections: Connections
    quickbooks: Where
    xero: Where

    async def open(self, job: Job) -> Books:
        """Raises JobFailedError when that is not possible."""
        names = (await self.settings.workspace(job.workspace_id)).value.settings.accounting
        # Their SDKs are large: they are loaded by those who use them.
        if job.provider == "quickbooks":
            from services.integrations.accounting.quickbooks.books import QuickBooksBooks

            item, codes = names.quickbooks_item, names.tax_codes
            return QuickBooksBooks(job, self.connections, self.quickbooks, item=item, codes=codes)
        if job.provider == "xero":
            from services.integrations.accounting.xero.books import XeroBooks

            revenue, bank, codes = names.revenue_account, names.bank_account, names.tax_codes
            return XeroBooks(job, self.connections, self.xero, revenue=revenue, bank=bank, codes=codes)
        accounts = Accounts(names.receivable_account, names.revenue_account, names.tax_account, names.bank_account)

        async def booked(resource_id: str, event: str) -> Entry | None:
            async with self.database.read(callers.of_job(job)) as session:
                return await journal.booked(session, resource_id, event)

        return Journal(accounts, await self._told(job), booked)

    async def _told(self, job: Job) -> list[Incoming]:
        if job.upload_id is None:
            return []
        async with self.database.read(callers.of_job(job)) as session:
            parts = await uploads.parts(session, job.upload_id)
        if not parts:
            raise JobFailedError("upload-missing", "What it reads is not there any more.")
        reader = UploadReader(self.files, parts)
        try:
            return bank_file.read(await reader.read(0, bank_file.MOST_BYTES))
        except UnreadableFileError as error:
            raise JobFailedError("file-unreadable", str(error)) from error
