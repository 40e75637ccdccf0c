"""What billing reads of a client."""

from dataclasses import dataclass

from kit.errors import FieldError, Invalid
from kit.unit_of_work import UnitOfWork

DEFAULT_PAYMENT_DAYS = 30

# Shared, so that the client cannot be deleted before what is written for it.
_TERMS = """
SELECT currency, payment_terms_days FROM clients
WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL FOR SHARE
"""


@dataclass(frozen=True)
class Terms:
    """What was agreed with a client: the currency, if any, and days until an invoice is due."""

    currency: str | None
    payment_days: int


async def client_terms(work: UnitOfWork, client_id: str) -> Terms:
    """Raises Invalid when there is no such client in the workspace."""
    record = await work.fetchrow(_TERMS, work.call.workspace_id, client_id)
    if record is None:
        raise Invalid.fields(FieldError("clientId", "names nothing among this workspace's clients"))
    days = record["payment_terms_days"]
    return Terms(record["currency"], DEFAULT_PAYMENT_DAYS if days is None else days)
