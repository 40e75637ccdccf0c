"""Callers of services over gRPC, with the identity that the gateway would give them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Self

import grpc
import pytest
from google.protobuf.message import Message

from kit import contract
from kit.errors import Problem, from_rpc_error
from kit.identity import Principal, TokenSigner

ENGINEER = frozenset({"ops_engineer"})


@dataclass(frozen=True)
class Caller:
    """Calls `service` as `principal`, with tokens for it or for another `audience`; the last answer's bytes and whether
    it was a replay are in `notes`."""

    channel: grpc.aio.Channel
    signer: TokenSigner
    service: str
    principal: Principal
    audience: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def as_(self, principal: Principal) -> Self:
        return replace(self, principal=principal, notes={})

    def of(self, workspace: str | None, *, subject: str = "ada", roles: frozenset[str] = ENGINEER) -> Self:
        """The same service, called for another workspace or by another."""
        return self.as_(Principal(subject, roles, workspace))

    async def call(self, name: str, request: Message, *, key: str | None = None, **metadata: str | None) -> Any:
        """Call an rpc by its name, under a new idempotency key unless one is given; `metadata` as `if_match="2"`, empty
        for none. Raises the problem it answers."""
        headers: dict[str, str | None] = {
            "authorization": f"Bearer {self.signer.sign(self.principal, self.audience or self.service)}",
            "idempotency-key": key or uuid.uuid4().hex,
            "x-correlation-id": uuid.uuid4().hex,
            **{header.replace("_", "-"): value for header, value in metadata.items()},
        }
        rpc = contract.by_name(self.service)[name]
        method: Any = self.channel.unary_unary(rpc.path, request_serializer=type(request).SerializeToString)
        given = tuple((header, value) for header, value in headers.items() if value)
        sending = method(request, metadata=given, timeout=20, wait_for_ready=True)
        try:
            body = await sending
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, self.service) from error
        self.notes["body"] = body
        self.notes["replayed"] = ("idempotency-replayed", "true") in tuple(await sending.trailing_metadata())
        return rpc.response_class.FromString(body)


async def eventually(look: Callable[[], Awaitable[Any]], seconds: float = 180) -> Any:
    """The first answer that is true. By default as patient as a machine that is busy with others wants it."""
    deadline = monotonic() + seconds
    while not (found := await look()):
        assert monotonic() < deadline, "it never came"
        await asyncio.sleep(0.05)
    return found


@asynccontextmanager
async def refused(
    status: int, code: str | None = None, *, path: str | None = None, paths: Sequence[str] = ()
) -> AsyncIterator[None]:
    """The block must end in a problem of this HTTP status, code, and place of its one error or places of its errors."""
    with pytest.raises(Problem) as problem:
        yield
    assert problem.value.status == status, problem.value.detail
    if code is not None:
        assert problem.value.code == code
    if expected := [path] if path else list(paths):
        assert [error.path for error in problem.value.errors] == expected
