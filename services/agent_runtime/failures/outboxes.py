"""The outboxes of all services, as the runtime sees them: events that cannot be sent."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from kit import contract, ids
from kit.calls import Passport, ServiceCall, Services
from kit.database import Session
from kit.errors import NotFound, Problem, Unavailable
from kit.identity import Principal
from kit.logs import get_logger
from kit.outbox import OutboxHandlers
from kit.unit_of_work import UnitOfWork
from opsfield.common.v1 import page_pb2
from opsfield.common.v1.outbox_pb2 import (
    ListOutboxEventsRequest,
    ListOutboxEventsResponse,
    OutboxEvent,
    RetryOutboxEventRequest,
)

_SERVICE = "agent-runtime"
_SECONDS = 2.0
_PAGE = 200
# As far as the list of an outbox can be read.
_MOST_OFFSET = 10_000

ReadPage = Callable[[ListOutboxEventsRequest], Awaitable[ListOutboxEventsResponse]]

log = get_logger(__name__)


class FailedEvents(NamedTuple):
    """`unavailable`: the services that did not answer."""

    events: list[OutboxEvent]
    unavailable: list[str]


class Outboxes:
    """Asks as the service that it is: whoever may see failures may not see all of an outbox."""

    def __init__(self, services: Services) -> None:
        rpcs = contract.by_name(_SERVICE)
        others = [name for name in contract.SERVICES if name != _SERVICE]
        self._own = OutboxHandlers(_SERVICE)
        self._lists = self._calls(services, others, rpcs["ListOutboxEvents"])
        self._retries = self._calls(services, others, rpcs["RetryOutboxEvent"])

    async def failed(self, session: Session) -> FailedEvents:
        """All failed events of the workspace, of all services at the same time."""
        found: list[OutboxEvent] = await _all_pages(lambda request: self._own.list_outbox_events(request, session))
        names = list(self._lists)
        passport = _passport(session)
        results = await asyncio.gather(*(self._failed_of(name, passport) for name in names))
        unavailable = []
        for name, events in zip(names, results, strict=True):
            if events is None:
                unavailable.append(name)
            else:
                found += events
        return FailedEvents(found, sorted(unavailable))

    async def retry(self, event_id: str, work: UnitOfWork) -> OutboxEvent:
        """Put a failed event back in line, whichever service it is of. Raises NotFound when none has it, Unavailable
        when one that may have it does not answer."""
        request = RetryOutboxEventRequest(id=event_id)
        try:
            return await self._own.retry_outbox_event(request, work)
        except NotFound:
            pass
        passport = _passport(work)
        names = list(self._retries)
        calls = (self._retries[name](request, passport) for name in names)
        replies = dict(zip(names, await asyncio.gather(*calls, return_exceptions=True), strict=True))
        silent = []
        for name, reply in replies.items():
            if isinstance(reply, NotFound):
                continue
            if isinstance(reply, Problem):
                log.warning("outbox cannot be asked", service=name, reason=reply.detail)
                silent.append(name)
            elif isinstance(reply, BaseException):
                raise reply
            else:
                assert isinstance(reply.message, OutboxEvent)
                return reply.message
        if silent:
            raise Unavailable(f"Not found so far, and {', '.join(sorted(silent))} cannot be reached; try again.")
        raise NotFound(f"There is no failed event {event_id} here.")

    async def _failed_of(self, name: str, passport: Passport) -> list[OutboxEvent] | None:
        async def read(request: ListOutboxEventsRequest) -> Any:
            return (await self._lists[name](request, passport)).message

        try:
            async with asyncio.timeout(_SECONDS):
                return await _all_pages(read)
        except (Problem, TimeoutError) as error:
            log.warning("failures are missing", service=name, reason=f"{type(error).__name__}: {error}")
            return None

    @staticmethod
    def _calls(services: Services, names: list[str], rpc: contract.Rpc) -> Mapping[str, ServiceCall]:
        return {name: ServiceCall(services, name, rpc, timeout=_SECONDS) for name in names}


async def _all_pages(read: ReadPage) -> list[OutboxEvent]:
    found: list[OutboxEvent] = []
    while len(found) <= _MOST_OFFSET:
        request = ListOutboxEventsRequest(
            limit=_PAGE, offset=len(found), state=OutboxEvent.FAILED, sort_order=page_pb2.DESC
        )
        events = (await read(request)).data
        found += events
        if len(events) < _PAGE:
            break
    return found


def _passport(session: Session) -> Passport:
    call = session.call
    principal = Principal(call.principal.subject, workspace_id=call.workspace_id, service=_SERVICE)
    key = ids.child_key(call.idempotency_key, "retry-outbox-event") if call.idempotency_key else None
    return Passport(principal, call.correlation_id, idempotency_key=key, traceparent=call.traceparent)
