"""A caller of services over gRPC, with the identity that the gateway would give it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from kit import contract, structs
from kit.errors import Problem, from_rpc_error
from kit.identity import Principal, TokenSigner
from opsfield.workflow.v1 import executions_pb2 as pb2
from opsfield.workflow.v1.executions_pb2 import Execution

ENGINEER = frozenset({"ops_engineer"})


@dataclass(frozen=True)
class Caller:
    """Calls `service` as `principal`; whether the last answer was a replay is in `notes`."""

    channel: grpc.aio.Channel
    signer: TokenSigner
    service: str
    principal: Principal
    notes: dict[str, Any] = field(default_factory=dict)

    def of(self, workspace: str, *, subject: str = "ada", roles: frozenset[str] = ENGINEER) -> "Caller":
        return replace(self, principal=Principal(subject, roles, workspace), notes={})

    async def call(
        self, name: str, request: Message, *, key: str | None = None, if_match: str | None = None, correlation: str = ""
    ) -> Any:
        """Call an rpc by its name, under a new idempotency key unless one is given. Raises the problem it answers."""
        rpc = contract.by_name(self.service)[name]
        headers = {
            "authorization": f"Bearer {self.signer.sign(self.principal, self.service)}",
            "idempotency-key": key or uuid.uuid4().hex,
            "x-correlation-id": correlation or uuid.uuid4().hex,
            **({"if-match": if_match} if if_match else {}),
        }
        method: Any = self.channel.unary_unary(
            rpc.path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=rpc.response_class.FromString,
        )
        sending = method(request, metadata=tuple(headers.items()), timeout=20)
        try:
            answer = await sending
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, self.service) from error
        self.notes["replayed"] = ("idempotency-replayed", "true") in tuple(await sending.trailing_metadata())
        return answer

    # Of workflow

    async def execute(
        self, value: dict[str, Any] | None = None, *, reasoner: str = "classify", **call: Any
    ) -> Execution:
        """Start `triage.classify` with a ticket's id, or with `value`."""
        seconds = call.pop("deadline_seconds", None)
        request = pb2.ExecuteReasonerRequest(
            agent="triage",
            reasoner=reasoner,
            input=structs.from_json({"ticketId": "t-1"} if value is None else value),
            deadline_seconds=seconds,
        )
        answer: Execution = await self.call("ExecuteReasoner", request, **call)
        return answer

    async def get(self, execution: Execution) -> Execution:
        answer: Execution = await self.call("GetExecution", pb2.GetExecutionRequest(id=execution.id))
        return answer

    async def cancel(self, execution: Execution, **call: Any) -> Execution:
        request = pb2.CancelExecutionRequest(id=execution.id, reason="Enough.")
        answer: Execution = await self.call("CancelExecution", request, **call)
        return answer

    async def retry(self, execution: Execution, **call: Any) -> Execution:
        answer: Execution = await self.call("RetryExecution", pb2.RetryExecutionRequest(id=execution.id), **call)
        return answer

    async def decide(
        self, execution: Execution, verdict: str = "APPROVED", *, digest: str | None = None, **call: Any
    ) -> Execution:
        request = pb2.DecideExecutionRequest(
            id=execution.id,
            verdict=verdict,
            proposals_digest=digest or execution.proposals_digest,
            reason="Because.",
        )
        answer: Execution = await self.call("DecideExecution", request, **call)
        return answer

    async def until_final(self, execution: Execution) -> Execution:
        """The execution, once it has ended."""

        async def look() -> Execution | None:
            found = await self.get(execution)
            return found if found.is_final else None

        found: Execution = await eventually(look)
        return found

    async def until(self, execution: Execution, status: int) -> Execution:
        """The execution, once it has this status."""

        async def look() -> Execution | None:
            found = await self.get(execution)
            return found if found.status == status else None

        found: Execution = await eventually(look)
        return found


async def eventually(look: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    """The first answer that is true."""
    deadline = monotonic() + seconds
    while not (found := await look()):
        assert monotonic() < deadline, "it never came"
        await asyncio.sleep(0.05)
    return found


@asynccontextmanager
async def refused(status: int, code: str | None = None, *, paths: list[str] | None = None) -> AsyncIterator[None]:
    """The block must end in a problem of this HTTP status, code and places of its errors."""
    with pytest.raises(Problem) as problem:
        yield
    assert problem.value.status == status, problem.value.detail
    if code is not None:
        assert problem.value.code == code
    if paths is not None:
        assert [error.path for error in problem.value.errors] == paths
