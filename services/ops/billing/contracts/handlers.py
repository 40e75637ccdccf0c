"""What contracts do beyond the standard way."""

from kit.errors import FieldError, Invalid
from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from services.ops.billing.handlers import DocumentHandlers
from services.ops.service_desk.sla_policies.store import is_policy_for


class ContractHandlers(DocumentHandlers):
    """ContractService."""

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        """Raises Invalid for the SLA policy of another client, which its tickets would not get."""
        named = ("sla_policy_id", "client_id")
        is_new = before is None or any(before[name] != after[name] for name in named)
        policy_id = after["sla_policy_id"]
        if is_new and policy_id and not await is_policy_for(work, policy_id, after["client_id"]):
            raise Invalid.fields(FieldError("slaPolicyId", "is the policy of another client"))
