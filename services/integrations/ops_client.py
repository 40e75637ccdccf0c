"""What jobs do at ops."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from kit import contract, ids
from kit.calls import ServiceCall, Services
from kit.errors import Invalid
from opsfield.common.v1.page_pb2 import ASC, DESC
from opsfield.ops.v1.bulk_pb2 import CreatedResource, CreateResourcesRequest
from opsfield.ops.v1.invoices_pb2 import GetInvoiceRequest, Invoice, ListInvoicesRequest
from opsfield.ops.v1.payments_pb2 import CreatePaymentRequest, ListPaymentsRequest, Payment
from services.integrations.jobs import callers
from services.integrations.jobs.store import Job
from services.integrations.ops_kinds import OpsKind, all_kinds

# As long as a service works on a call at most.
_SECONDS = 35.0
# On a page: one that was looked at already, and another.
_FEWEST = 2
# Of what a search by a number or an id may find beside what is meant.
_MOST_ALIKE = 100


class OpsClient:
    """All raise the problem that ops answers, and Unavailable when it does not."""

    def __init__(self, services: Services) -> None:
        rpcs = contract.by_name("ops")
        self._create = ServiceCall(services, "ops", rpcs["CreateResources"], timeout=_SECONDS)
        self._update = {
            kind.name: ServiceCall(services, "ops", kind.update_rpc, timeout=_SECONDS) for kind in all_kinds().values()
        }
        self._list = {
            kind.name: ServiceCall(services, "ops", kind.list_rpc, timeout=_SECONDS) for kind in all_kinds().values()
        }
        self._get = {
            kind.name: ServiceCall(services, "ops", kind.get_rpc, timeout=_SECONDS) for kind in all_kinds().values()
        }
        self._create_payment = ServiceCall(services, "ops", rpcs["CreatePayment"], timeout=_SECONDS)

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
        order = {"sort_by": "createdAt", "sort_order": ASC, "q": job.q or ""}
        answer, _ = await self._page(job, kind, limit, offset=offset, **order)
        return list(answer.data), answer.page.total

    async def latest(self, job: Job, kind: OpsKind, *, offset: int, limit: int) -> tuple[list[Any], bool]:
        """Resources, those that changed last first, and whether there are no more."""
        answer, limit = await self._page(job, kind, limit, offset=offset, sort_by="updatedAt", sort_order=DESC)
        return list(answer.data), len(answer.data) < limit

    async def _page(self, job: Job, kind: OpsKind, limit: int, **query: Any) -> tuple[Any, int]:
        """The answer, and how many it may have: fewer, where so many are more than fits into one. Raises Invalid when
        two are."""
        while True:
            request = kind.list_rpc.request_class(limit=limit, **query)
            try:
                return (await self._list[kind.name](request, callers.passport(job))).message, limit
            except Invalid:
                if limit == _FEWEST:
                    raise
                limit = max(limit // 2, _FEWEST)

    async def get(self, job: Job, kind: OpsKind, resource_id: str) -> Any:
        """Raises NotFound."""
        request = kind.get_rpc.request_class(id=resource_id)
        return (await self._get[kind.name](request, callers.passport(job))).message

    async def invoice(self, job: Job, invoice_id: str) -> Invoice:
        """Raises NotFound."""
        found: Any = (await self._get["invoices"](GetInvoiceRequest(id=invoice_id), callers.passport(job))).message
        return found  # type: ignore[no-any-return]

    async def invoice_numbered(self, job: Job, number: str) -> Invoice | None:
        request = ListInvoicesRequest(q=number, limit=_MOST_ALIKE)
        answer: Any = (await self._list["invoices"](request, callers.passport(job))).message
        return next((each for each in answer.data if each.number == number), None)

    async def payment_of(self, job: Job, provider: str, external_id: str) -> str | None:
        """The payment that is the provider's one of that id."""
        request = ListPaymentsRequest(provider_payment_id=external_id, limit=_MOST_ALIKE)
        answer: Any = (await self._list["payments"](request, callers.passport(job))).message
        return next((each.id for each in answer.data if each.provider == provider), None)

    async def book_payment(self, job: Job, payment: Payment) -> str:
        """Its id; of the same payment of a provider, the same, whichever job it is."""
        key = ids.child_key(f"{payment.provider}/{payment.provider_payment_id}", "book payment")
        passport = callers.passport(job)._replace(idempotency_key=key)
        created: Any = (await self._create_payment(CreatePaymentRequest(payment=payment), passport)).message
        return str(created.id)
