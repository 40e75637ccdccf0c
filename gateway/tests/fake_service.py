"""A gRPC server that plays a service: it answers as told and remembers what it was asked."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2_grpc

from kit import contract, errors
from kit.errors import Problem
from kit.identity import Principal, TokenVerifier

Context = grpc.aio.ServicerContext[Any, Any]
Answer = Callable[[Any], Message | Awaitable[Message]]
_OPTIONS = (("grpc.max_receive_message_length", 16 * 1024 * 1024),)


@dataclass(frozen=True)
class Received:
    """One call; `principal` as the internal token says, verified."""

    rpc: str
    request: Any
    metadata: dict[str, str]
    principal: Principal


class FakeService:
    """`answers` by rpc name; an answer may take its time, raise a Problem, or set `trailing` or `abort`."""

    def __init__(self, name: str, gateway_key: Ed25519PublicKey) -> None:
        self.name = name
        self.address = ""
        self.health = health.aio.HealthServicer()
        self._verifier = TokenVerifier(name, {"gateway": [gateway_key]})
        self.reset()

    def reset(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.received: list[Received] = []
        self.trailing: tuple[tuple[str, str], ...] = ()
        self.aborts: list[grpc.StatusCode] = []

    @property
    def last(self) -> Received:
        return self.received[-1]

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        services: dict[str, dict[str, Any]] = {}
        for rpc in contract.owned_by(self.name):
            method = grpc.unary_unary_rpc_method_handler(
                self._behavior(rpc),
                request_deserializer=rpc.request_class.FromString,
                response_serializer=rpc.response_class.SerializeToString,
            )
            services.setdefault(rpc.descriptor.containing_service.full_name, {})[rpc.name] = method
        return [grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items()]

    def _behavior(self, rpc: contract.Rpc) -> Any:
        async def behave(request: Message, context: Context) -> Message:
            metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
            principal = self._verifier.verify(metadata["authorization"].removeprefix("Bearer "))
            self.received.append(Received(rpc.name, request, metadata, principal))
            if self.aborts:
                await context.abort(self.aborts.pop(0), "as told")
            if rpc.name not in self.answers:
                await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not told how to answer")
            return await self._answer(rpc, request, context)

        return behave

    async def _answer(self, rpc: contract.Rpc, request: Message, context: Context) -> Message:
        try:
            answer = self.answers[rpc.name](request)
            message = await answer if inspect.isawaitable(answer) else answer
        except Problem as problem:
            details = errors.to_status_details(problem, "ignored")
            context.set_trailing_metadata(((errors.STATUS_DETAILS, details),))
            await context.abort(problem.grpc_status, problem.detail)
        context.set_trailing_metadata(self.trailing)
        return message


@asynccontextmanager
async def running_services(gateway_key: Ed25519PublicKey) -> AsyncIterator[dict[str, FakeService]]:
    """All services, each on a local port."""
    async with AsyncExitStack() as stack:
        services = {}
        for name in contract.SERVICES:
            services[name] = service = FakeService(name, gateway_key)
            server = grpc.aio.server(options=_OPTIONS)
            server.add_generic_rpc_handlers(service.handlers())
            health_pb2_grpc.add_HealthServicer_to_server(service.health, server)
            service.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
            await server.start()
            stack.push_async_callback(server.stop, None)
        yield services
