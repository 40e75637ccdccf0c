"""What the documents of billing have in common: they begin as drafts, in the client's currency."""

from google.protobuf.message import Message

from kit.errors import Conflict
from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Row
from kit.resources.lifecycle import with_article
from kit.unit_of_work import UnitOfWork
from services.ops.billing.store import client_terms


class DocumentHandlers(ResourceHandlers):
    """Of contracts, quotes and invoices."""

    async def insert(self, work: UnitOfWork, row: Row) -> Message:
        if row["currency"] is None:
            row["currency"] = (await client_terms(work, row["client_id"])).currency
        return await super().insert(work, row)

    async def before_delete(self, work: UnitOfWork, row: Row) -> None:
        if row["status"] != "draft":
            raise Conflict(
                f"{with_article(self.kind.noun)} that is {row['status']} is kept; only drafts are deleted.",
                code=f"{self.kind.noun}-not-draft",
            )
