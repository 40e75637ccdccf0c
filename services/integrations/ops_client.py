"""What jobs do at ops."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from kit import contract
from kit.calls import ServiceCall, Services
from opsfield.common.v1.page_pb2 import ASC
from opsfield.ops.v1.bulk_pb2 import CreatedResource, CreateResourcesRequest
from services.integrations.jobs import callers
from services.integrations.jobs.store import Job
from services.integrations.ops_kinds import OpsKind, all_kinds

# As long as a service works on a call at most.
_SECONDS = 35.0


class OpsClient:
    """All raise the problem that ops answers, and Unavailable when it does not."""

    def __init__(self, services: Services) -> None:
        rpcs = {rpc.name: rpc for rpc in contract.owned_by("ops")}
        self._create = ServiceCall(services, "ops", rpcs["CreateResources"], timeout=_SECONDS)
        self._update = {
            kind.name: ServiceCall(services, "ops", kind.update_rpc, timeout=_SECONDS) for kind in all_kinds().values()
        }
        self._list = {
            kind.name: ServiceCall(services, "ops", kind.list_rpc, timeout=_SECONDS) for kind in all_kinds().values()
        }

    async def create(self, job: Job, step: str, kind: OpsKind, messages: Sequence[Message]) -> list[CreatedResource]:
        """What became of each, in order; of the same step, the same."""
        request = CreateResourcesRequest(kind=kind.name)
        for message in messages:
            packed = AnyMessage()
            packed.Pack(message)
            request.resources.append(packed)
        answer: Any = (await self._create(request, callers.passport(job, step))).message
        return list(answer.results)

    async def update(
        self, job: Job, step: str, kind: OpsKind, resource_id: str, message: Message, mask: Sequence[str]
    ) -> None:
        request: Any = kind.update_rpc.request_class()
        request.id = resource_id
        getattr(request, kind.body).CopyFrom(message)
        request.update_mask.paths.extend(mask)
        await self._update[kind.name](request, callers.passport(job, step))

    async def page(self, job: Job, kind: OpsKind, *, offset: int, limit: int) -> tuple[list[Message], int]:
        """Resources in the order they were made, and how many there are in all."""
        request: Any = kind.list_rpc.request_class(
            limit=limit, offset=offset, sort_by="createdAt", sort_order=ASC, q=job.q or ""
        )
        answer: Any = (await self._list[kind.name](request, callers.passport(job))).message
        return list(answer.data), answer.page.total
