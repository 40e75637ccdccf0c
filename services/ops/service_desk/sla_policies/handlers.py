"""What SLA policies have beside the standard way of a kind."""

from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from services.ops.service_desk.sla_policies import store


class SlaPolicyHandlers(ResourceHandlers):
    """SlaPolicyService."""

    considers_others = True

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        """A new default takes that from the former."""
        if after["is_default"] and not (before and before["is_default"]):
            await store.take_default(work, after["id"])
