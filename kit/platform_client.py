"""What every service asks the platform service: settings and secrets."""

from typing import Any

from google.protobuf.message import Message

from kit import contract, ids, logs
from kit.calls import Passport, ServiceCall, Services
from kit.identity import Principal
from opsfield.platform.v1 import secrets_pb2, settings_pb2

_SECONDS = 2.0


class PlatformClient:
    """Asks as the service `name`."""

    def __init__(self, services: Services, name: str) -> None:
        self._name = name
        rpcs = contract.by_name("platform")
        self._fetch_settings = ServiceCall(services, "platform", rpcs["FetchSettings"], timeout=_SECONDS)
        self._fetch_secret = ServiceCall(services, "platform", rpcs["FetchSecret"], timeout=_SECONDS)

    async def fetch_settings(self, workspace_id: str) -> settings_pb2.FetchSettingsResponse:
        """What was set in a workspace, or for the platform (`_platform`). Raises Unavailable."""
        request = settings_pb2.FetchSettingsRequest()
        response: settings_pb2.FetchSettingsResponse = await self._ask(self._fetch_settings, request, workspace_id)
        return response

    async def fetch_secret(self, workspace_id: str, key: str) -> secrets_pb2.FetchSecretResponse:
        """A secret of a workspace, or of the platform. Raises NotFound, Forbidden, Unavailable."""
        request = secrets_pb2.FetchSecretRequest(key=key)
        response: secrets_pb2.FetchSecretResponse = await self._ask(self._fetch_secret, request, workspace_id)
        return response

    async def _ask(self, call: ServiceCall, request: Message, workspace_id: str) -> Any:
        principal = Principal(f"service:{self._name}", workspace_id=workspace_id, service=self._name)
        reply = await call(request, Passport(principal, logs.correlation_id.get() or ids.new_id()))
        return reply.message
