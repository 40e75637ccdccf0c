"""What telemetry asks of ops."""

from kit import contract
from kit.call import Call
from kit.calls import Passport, ServiceCall, Services
from kit.errors import FieldError, Invalid, NotFound
from opsfield.ops.v1.clients_pb2 import GetClientRequest
from opsfield.ops.v1.sites_pb2 import GetSiteRequest

_SECONDS = 5.0


class OpsClient:
    """Asks on behalf of the caller, who must be allowed to."""

    def __init__(self, services: Services) -> None:
        rpcs = contract.by_name("ops")
        self._get_client = ServiceCall(services, "ops", rpcs["GetClient"], timeout=_SECONDS)
        self._get_site = ServiceCall(services, "ops", rpcs["GetSite"], timeout=_SECONDS)

    async def check_place(self, call: Call, client_id: str, site_id: str | None) -> None:
        """Raises Invalid unless the workspace has such a client, and the site is of that client; Unavailable when ops
        does not answer."""
        passport = Passport(call.principal, call.correlation_id, traceparent=call.traceparent)
        try:
            await self._get_client(GetClientRequest(id=client_id), passport)
        except NotFound as error:
            raise Invalid.fields(FieldError("clientId", "is no client of the workspace")) from error
        if site_id is None:
            return
        try:
            site = (await self._get_site(GetSiteRequest(id=site_id), passport)).message
        except NotFound as error:
            raise Invalid.fields(FieldError("siteId", "is no site of the client")) from error
        if getattr(site, "client_id", None) != client_id:
            raise Invalid.fields(FieldError("siteId", "is no site of the client"))
