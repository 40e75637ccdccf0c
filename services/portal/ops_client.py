"""What the portal asks of ops, which has the rows: always as the caller, bound to the caller's client."""

from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from kit import contract, faults, ids
from kit.call import Call
from kit.calls import Passport, ServiceCall, Services
from kit.errors import Forbidden, NotFound
from kit.identity import Principal
from opsfield.ops.v1.portal_directory_pb2 import FindPortalContactRequest, PortalContact

_SERVICE = "portal"
_SECONDS = 10.0
_CONTACT_SECONDS = 2.0


class OpsClient:
    """Calls the rpcs of ops that are for the portal alone."""

    def __init__(self, services: Services) -> None:
        rpcs = {
            rpc.name: rpc
            for rpc in contract.owned_by("ops")
            if rpc.descriptor.containing_service.name.startswith("Portal")
        }
        self._calls = {name: ServiceCall(services, "ops", rpc, timeout=_SECONDS) for name, rpc in rpcs.items()}
        self._contact = ServiceCall(services, "ops", rpcs["FindPortalContact"], timeout=_CONTACT_SECONDS)

    async def read(self, rpc: str, request: Message, call: Call) -> Any:
        """What the caller may see of it. Raises the problem that ops answers, Unavailable when it does not."""
        passport = Passport(as_caller(call), call.correlation_id, traceparent=call.traceparent)
        return (await self._calls[rpc](request, passport)).message

    async def do(self, rpc: str, request: Message, call: Call, *, step: str = "") -> Any:
        """Do it for the caller, once: whoever comes again with the caller's key gets ops's first answer. `step` tells
        several that follow from one request apart. Raises as `read` does."""
        assert call.idempotency_key is not None, "an action has a key"
        passport = Passport(
            as_caller(call),
            call.correlation_id,
            idempotency_key=ids.child_key(call.idempotency_key, call.method + step),
            traceparent=call.traceparent,
        )
        answer = (await self._calls[rpc](request, passport)).message
        faults.point("after-ops-answer")
        return answer

    async def contact(
        self, call: Call, client_id: str, *, email: str | None = None, contact_id: str | None = None
    ) -> PortalContact | None:
        """The active contact of the client with that address or id; None when there is none. Raises Unavailable."""
        principal = Principal(f"service:{_SERVICE}", workspace_id=call.workspace_id, service=_SERVICE)
        passport = Passport(principal, call.correlation_id, traceparent=call.traceparent)
        request = FindPortalContactRequest(client_id=client_id, email=email, id=contact_id)
        try:
            found: Any = (await self._contact(request, passport)).message
        except NotFound:
            return None
        contact: PortalContact = found
        return contact


def as_caller(call: Call) -> Principal:
    """The caller as ops is told of it: by us, but with its subject, roles and client. Raises Forbidden for a client's
    person whose client nobody knows."""
    principal = call.principal
    if principal.client_id is None and "client_portal" in principal.roles:
        raise Forbidden("The token names no client.", code="client-missing")
    return replace(principal, service=_SERVICE, agent_id=None, session_id=None)
