"""What the gateway answers itself: its health, and the document that describes the API."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from kit import contract
from kit.calls import Invoke, Passport, Reply, Services
from kit.contract import ContractError, Rpc
from opsfield.gateway.v1 import gateway_pb2

VERSION = "0.1.0"
_CHECK = "/grpc.health.v1.Health/Check"
_CHECK_SECONDS = 1.0


class OwnHandlers:
    """The rpcs whose owner is the gateway, one method each, named after the rpc in snake case."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.openapi = b""

    async def get_health(self, request: gateway_pb2.GetHealthRequest) -> gateway_pb2.Health:
        """Alive, since it answers; the services are asked only when `ready` is set."""
        names = self._services.names if request.ready else []
        states = await asyncio.gather(*(self._state(name) for name in names))
        healthy = all(state == gateway_pb2.ServiceHealth.SERVING for state in states)
        return gateway_pb2.Health(
            status=gateway_pb2.Health.OK if healthy else gateway_pb2.Health.DEGRADED,
            version=VERSION,
            services=[
                gateway_pb2.ServiceHealth(service=name, status=state) for name, state in zip(names, states, strict=True)
            ],
        )

    async def get_open_api(self, _request: gateway_pb2.GetOpenApiRequest) -> HttpBody:
        return HttpBody(content_type="application/json", data=self.openapi)

    async def _state(self, service: str) -> "gateway_pb2.ServiceHealth.Status":
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, health_pb2.HealthCheckResponse] = self._services.channel(
            service
        ).unary_unary(_CHECK, response_deserializer=health_pb2.HealthCheckResponse.FromString)
        try:
            answer = await check(b"", timeout=_CHECK_SECONDS)
        except grpc.aio.AioRpcError:
            return gateway_pb2.ServiceHealth.UNREACHABLE
        serving = answer.status == health_pb2.HealthCheckResponse.SERVING
        return gateway_pb2.ServiceHealth.SERVING if serving else gateway_pb2.ServiceHealth.NOT_SERVING


def own_call(handlers: OwnHandlers, rpc: Rpc) -> Invoke:
    """How one of the gateway's own rpcs is asked. Raises ContractError when nothing answers it."""
    handler: Callable[[Any], Awaitable[Message]] | None = getattr(handlers, contract.snake_case(rpc.name), None)
    if handler is None:
        raise ContractError(f"the gateway has no handler for {rpc.path}")

    async def invoke(request: Message, _passport: Passport) -> Reply:
        return Reply(await handler(request))

    return invoke
