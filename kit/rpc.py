"""How a service answers a call. Every rpc goes the same way:

    identity → access → limits of the request → signature → session or unit of work → handler → answer, or problem

A handler is `async (request, session) -> response`: it gets a read-only session for a read, a unit of work for a
mutation, and never opens, commits or serializes anything itself.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError, Message
from opentelemetry.trace import SpanKind

from kit import contract, errors, faults, ids, logs, metrics, tracing, validation
from kit.admission import call_of, check_access
from kit.call import Call
from kit.contract import ContractError, Rpc
from kit.database import Database
from kit.errors import (
    Conflict,
    FieldError,
    Internal,
    Invalid,
    Malformed,
    Problem,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from kit.identity import Principal, TokenVerifier
from kit.sealing import Seal
from kit.signatures import SignatureCheck
from kit.unit_of_work import UnitOfWork, fingerprint, unit_of_work
from kit.webhooks import Deliveries, Webhook
from opsfield.common.v1.audit_pb2 import PrivilegedAction

Handler = Callable[[Any, Any], Awaitable[Message]]
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Behavior = Callable[[Any, Any], Awaitable[bytes]]

# The largest message that services and the gateway take (gRPC refuses larger ones).
MOST_BYTES = 16 * 1024 * 1024
# The longest a call may take, whatever its caller allows (seconds).
_LONGEST = 30.0
_STATUS = "rpc.response.status_code"

log = logs.get_logger(__name__)


class RpcServer:
    """The rpcs of one service, with what answering them needs."""

    def __init__(
        self,
        service: str,
        *,
        database: Database,
        verifier: TokenVerifier,
        fingerprint_keys: Sequence[bytes],
        seal: Seal,
        signatures: SignatureCheck | None = None,
        webhooks: Mapping[str, Webhook] | None = None,
        on_commit: Callable[[], None],
    ) -> None:
        """`signatures` is needed where an rpc is signed."""
        self._service = service
        self._database = database
        self._verifier = verifier
        self._fingerprint_keys = fingerprint_keys
        self._seal = seal
        self._deliveries = Deliveries(signatures, webhooks or {})
        self._on_commit = on_commit
        self.in_flight = 0

    def generic_handlers(self, handlers: Mapping[str, Handler]) -> list[grpc.GenericRpcHandler]:
        """What `grpc.aio.Server.add_generic_rpc_handlers` takes. `handlers`: gRPC path to handler. Raises
        ContractError when an rpc of this service has no handler, or a handler no rpc."""
        rpcs = contract.owned_by(self._service)
        if unmatched := {rpc.path for rpc in rpcs} ^ set(handlers):
            raise ContractError(f"{self._service}: rpcs and handlers do not match: {sorted(unmatched)}")
        services: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}
        for rpc in rpcs:
            behavior = self._behavior(rpc, handlers[rpc.path])
            method: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(behavior)
            services.setdefault(rpc.descriptor.containing_service.full_name, {})[rpc.name] = method
        return [grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items()]

    def _behavior(self, rpc: Rpc, handler: Handler) -> Behavior:
        answer = self._mutate if rpc.mutates else self._read
        parse = _parser(rpc)
        gate = _Gate(rpc.policy.most_in_flight)
        measured_as = {"rpc.system.name": "grpc", "rpc.method": rpc.path.removeprefix("/")}

        async def behave(data: bytes, context: Context) -> bytes:
            with metrics.timed(metrics.RPC_ACTIVE, metrics.RPC_DURATION, measured_as) as measured:
                measured[_STATUS] = "CANCELLED"
                return await respond(data, context, measured)

        async def respond(data: bytes, context: Context, measured: dict[str, str]) -> bytes:
            self.in_flight += 1
            metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
            correlation_id = metadata["x-correlation-id"] = metadata.get("x-correlation-id") or ids.new_id()
            token = logs.correlation_id.set(correlation_id)
            try:
                with tracing.span(
                    rpc.path, kind=SpanKind.SERVER, traceparent=metadata.get("traceparent")
                ) as traceparent:
                    principal = self._identify(rpc, metadata)
                    check_access(rpc, principal)
                    with gate:
                        request = parse(data)
                        if rpc.is_delivered:
                            principal = await self._deliveries.proved(rpc, request, principal, metadata)
                        call = call_of(rpc, request, principal, metadata, traceparent)
                        async with asyncio.timeout(_limit(context)):
                            response = await answer(rpc, handler, request, call, context)
                measured[_STATUS] = "OK"
                return response
            except Exception as error:
                problem = _problem(rpc, error)
            finally:
                logs.correlation_id.reset(token)
                self.in_flight -= 1
            measured[_STATUS] = problem.grpc_status.name
            context.set_trailing_metadata(((errors.STATUS_DETAILS, errors.to_status_details(problem, correlation_id)),))
            context.set_code(problem.grpc_status)
            context.set_details(problem.detail)
            return b""

        return behave

    def _identify(self, rpc: Rpc, metadata: Mapping[str, str]) -> Principal:
        scheme, _, token = metadata.get("authorization", "").partition(" ")
        if scheme == "Bearer" and token:
            return self._verifier.verify(token)
        if rpc.access == "public":
            return Principal(subject="anonymous")
        raise Unauthenticated("The internal token is missing or not valid.")

    async def _read(self, rpc: Rpc, handler: Handler, request: Message, call: Call, _context: Context) -> bytes:
        async with self._database.read(call) as session:
            response = await handler(request, session)
        answer = response.SerializeToString()
        if len(answer) > MOST_BYTES:
            raise Invalid.fields(FieldError("limit", "is too high for what is listed here: ask for fewer at a time"))
        return answer

    async def _mutate(self, rpc: Rpc, handler: Handler, request: Message, call: Call, context: Context) -> bytes:
        started = time.perf_counter()
        is_sealed = contract.holds_secret(rpc.descriptor.output_type)
        async with unit_of_work(self._database, call, service=self._service) as work:
            if rpc.has_key:
                await work.claim_key(*self._fingerprints(rpc, call, request))
            if work.replay is None:
                response = await handler(request, work)
                answer = response.SerializeToString(deterministic=True)
                resource_id, version = _changed(request, response)
                if rpc.has_key:
                    work.answer(self._seal.close(answer, call) if is_sealed else answer)
                if rpc.policy.privileged:
                    _tell_auditors(work, rpc, resource_id, version)
                if rpc.policy.audit and not work.is_audited:
                    work.audit(resource_id, version)
        if work.replay is not None:
            first = self._seal.open(work.replay, call) if is_sealed else work.replay
            context.set_trailing_metadata((("idempotency-replayed", "true"),))
            return first
        if work.emitted:
            self._on_commit()
        # What leaves no audit record is routine: batches of telemetry, hundreds a second.
        say = log.info if rpc.policy.audit else log.debug
        say(
            rpc.name,
            resource=resource_id,
            subject=call.principal.subject,
            milliseconds=round((time.perf_counter() - started) * 1000),
        )
        faults.point("before-answer")
        return answer

    def _fingerprints(self, rpc: Rpc, call: Call, request: Message) -> Sequence[bytes]:
        if rpc.is_delivered:
            # The same delivery, sent again, need not be the same to the byte: it may say how often it was sent.
            return (sha256(rpc.path.encode()).digest(),)
        return [fingerprint(call, request, key) for key in self._fingerprint_keys]


def bind(rpcs: Iterable[Rpc], handlers: object) -> dict[str, Handler]:
    """Handlers by gRPC path: the method of `handlers` that is named after each rpc in snake case."""
    found = {}
    for rpc in rpcs:
        handler = getattr(handlers, contract.snake_case(rpc.name), None)
        if handler is None:
            raise ContractError(f"{type(handlers).__name__} lacks {contract.snake_case(rpc.name)} for {rpc.path}")
        found[rpc.path] = handler
    return found


def bind_service(owner: str, service: str, handlers: object) -> dict[str, Handler]:
    """As `bind`, for the rpcs of one gRPC service (`TicketService`) of `owner`."""
    return bind(
        [rpc for rpc in contract.owned_by(owner) if rpc.descriptor.containing_service.name == service], handlers
    )


class _Gate:
    """Lets so many calls of one rpc in at a time (0: all). Raises TooManyRequests."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0

    def __enter__(self) -> None:
        if self._most and self._inside >= self._most:
            raise TooManyRequests("Too much comes in at once; try again.", code="overloaded", retry_after=1)
        self._inside += 1

    def __exit__(self, *_: object) -> None:
        self._inside -= 1


def _parser(rpc: Rpc) -> Callable[[bytes], Message]:
    """Reads the rpc's request and checks its limits."""
    from_string = rpc.request_class.FromString
    body = rpc.routes[0].body if rpc.routes else ""

    def parse(data: bytes) -> Message:
        try:
            request = from_string(data)
        except DecodeError as error:
            raise Malformed("The message cannot be read.") from error
        validation.check_request(request, body)
        return request

    return parse


def _limit(context: Context) -> float | None:
    """Seconds; None when the caller's own deadline comes sooner, which gRPC keeps by cancelling us."""
    remaining = context.time_remaining()
    return _LONGEST if remaining is None or remaining > _LONGEST else None


def _changed(request: Any, response: Any) -> tuple[str | None, int | None]:
    """What has no id is known by its key (a secret), or by the operation alone (settings)."""
    places = ((response, "id"), (request, "id"), (request, "key"))
    resource_id = next((found for place, name in places if (found := getattr(place, name, None))), None)
    return resource_id, getattr(response, "version", None)


def _tell_auditors(work: UnitOfWork, rpc: Rpc, resource_id: str | None, version: int | None) -> None:
    principal = work.call.principal
    action = PrivilegedAction(
        operation=rpc.path,
        subject=principal.subject,
        roles=sorted(principal.roles)[:20],
        resource_id=resource_id,
        version=version or None,
        occurred_at=work.now,
    )
    work.emit(action, key=resource_id or rpc.path)


def _problem(rpc: Rpc, error: Exception) -> Problem:
    if isinstance(error, Problem):
        if error.status >= Internal.status:
            log.warning("call failed", rpc=rpc.path, code=error.code, reason=error.detail)
        if isinstance(error, Conflict) and error.retry_after and rpc.has_key and not rpc.needs_key:
            # Clients of protocols without keys do not know that such a conflict passes: OTLP's drop what they sent.
            return Unavailable(error.detail, code=error.code, retry_after=error.retry_after)
        return error
    if isinstance(error, TimeoutError):
        log.warning("call ran out of time", rpc=rpc.path)
        return Unavailable("This took too long; try again.", code="timeout", retry_after=1)
    log.error("call failed unexpectedly", rpc=rpc.path, exc_info=error)
    return Internal("Something went wrong on our side.")
