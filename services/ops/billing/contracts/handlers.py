"""What contracts have beside the standard rpcs."""

from google.protobuf.message import Message

from kit.errors import Conflict
from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from services.ops.billing.store import client_terms


class ContractHandlers(ResourceHandlers):
    """ContractService."""

    async def insert(self, work: UnitOfWork, row: Row) -> Message:
        if row["currency"] is None:
            row["currency"] = (await client_terms(work, row["client_id"])).currency
        return await super().insert(work, row)

    async def before_delete(self, work: UnitOfWork, row: Row) -> None:
        if row["status"] != "draft":
            raise Conflict(
                f"A contract that is {row['status']} is kept; only drafts are deleted.", code="contract-not-draft"
            )
