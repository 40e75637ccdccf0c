"""Callers of the runtime, and the services that it asks: played by the test where they are not what is tested."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import grpc
from google.protobuf.message import Message

from devstack.stack import Stack
from kit import contract, errors
from kit.calls import Passport, ServiceCall, Services
from kit.errors import Problem
from kit.identity import Principal, TokenVerifier
from opsfield.agent_runtime.v1 import runtime_pb2

RPCS = contract.by_name("agent-runtime")


@dataclass
class Caller:
    """Calls the service as this principal. `replayed`: of the last answer."""

    services: Services
    principal: Principal
    replayed: bool = False

    def with_role(self, role: str) -> "Caller":
        return replace(self, principal=replace(self.principal, roles=frozenset({role})))

    def of(self, workspace: str) -> "Caller":
        return replace(self, principal=replace(self.principal, workspace_id=workspace))

    def as_service(self) -> "Caller":
        return replace(self, principal=replace(self.principal, roles=frozenset(), service="gateway"))

    async def call(self, name: str, *, key: str | None = None, **fields: Any) -> Any:
        """Call an rpc by its name, with a new idempotency key unless one is given. Raises the problem it answers."""
        request = getattr(runtime_pb2, f"{name}Request")(**fields)
        passport = Passport(self.principal, "c-1", idempotency_key=key or uuid.uuid4().hex)
        reply = await ServiceCall(self.services, "agent-runtime", RPCS[name])(request, passport)
        self.replayed = reply.replayed
        return reply.message


@dataclass(frozen=True)
class Asked:
    """A call that reached a service that the test plays."""

    request: Any
    principal: Principal
    idempotency_key: str | None


Answer = Callable[[Asked], Awaitable[Message]]


@asynccontextmanager
async def played(stack: Stack, service: str, answers: Mapping[str, Answer]) -> AsyncIterator[None]:
    """Play a service at its address: `answers` by the name of the rpc. The tokens of its callers are verified."""
    verifier = TokenVerifier.from_file(service, stack.layout.trust)
    methods: dict[str, dict[str, Any]] = {}
    for rpc in contract.owned_by(service):
        if rpc.name in answers:
            name = rpc.descriptor.containing_service.full_name
            methods.setdefault(name, {})[rpc.name] = grpc.unary_unary_rpc_method_handler(
                _behavior(answers[rpc.name], verifier), request_deserializer=rpc.request_class.FromString
            )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(name, each) for name, each in methods.items())
    )
    assert server.add_insecure_port(stack.address(service))
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)


def _behavior(answer: Answer, verifier: TokenVerifier) -> Callable[[Any, Any], Awaitable[bytes]]:
    async def behave(request: Any, context: Any) -> bytes:
        metadata = dict(context.invocation_metadata())
        principal = verifier.verify(metadata["authorization"].removeprefix("Bearer "))
        try:
            message = await answer(Asked(request, principal, metadata.get("idempotency-key")))
        except Problem as problem:
            context.set_trailing_metadata(((errors.STATUS_DETAILS, errors.to_status_details(problem, "c-1")),))
            context.set_code(problem.grpc_status)
            return b""
        return message.SerializeToString()

    return behave
