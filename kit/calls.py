"""How a service is asked, by the gateway or by another service: one gRPC channel each, the caller's identity signed,
the answer or its problem."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import Message

from kit.contract import Rpc
from kit.errors import STATUS_DETAILS, from_rpc_error
from kit.identity import Principal, TokenSigner

_MIB = 1024 * 1024
_OPTIONS = (
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A service that restarts is found again within 0.6 s (the pause has a jitter of a fifth): well before a call gives
    # up waiting for its connection.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # 200 tickets with every text at its longest.
    ("grpc.max_receive_message_length", 16 * _MIB),
)
# How long a call waits for a lost connection to come back before it is tried again (seconds).
_RECONNECT_SECONDS = 1.0


class Passport(NamedTuple):
    """What travels with a call beside its message. `if_match`: a version in digits, `*`, or None; `signature`: of the
    raw body in the message, as a webhook brought it."""

    principal: Principal
    correlation_id: str
    idempotency_key: str | None = None
    if_match: str | None = None
    traceparent: str | None = None
    signature: str | None = None


class Reply(NamedTuple):
    """`replayed`: the service had answered the same request before."""

    message: Message
    replayed: bool = False


Invoke = Callable[[Message, Passport], Awaitable[Reply]]


class Services:
    """The services' channels, opened when first used. `addresses`: host:port (or a gRPC name) of each."""

    def __init__(self, addresses: Mapping[str, str], signer: TokenSigner, *, timeout: float) -> None:
        self.signer = signer
        self.timeout = timeout
        self._addresses = addresses
        self._channels: dict[str, grpc.aio.Channel] = {}

    @property
    def names(self) -> list[str]:
        return sorted(self._addresses)

    def channel(self, service: str) -> grpc.aio.Channel:
        """Must be called in the event loop that will use it."""
        if service not in self._channels:
            self._channels[service] = grpc.aio.insecure_channel(self._addresses[service], options=_OPTIONS)
        return self._channels[service]

    def connect(self) -> None:
        """Begin to connect to all of them, so that the first request need not."""
        for service in self._addresses:
            self.channel(service).get_state(try_to_connect=True)

    async def reconnect(self, service: str) -> None:
        """Wait, not long, for the connection to be there."""
        # Not asyncio.wait_for: up to Python 3.11 it loses a cancellation that comes with what it waits for.
        with suppress(TimeoutError):
            async with asyncio.timeout(_RECONNECT_SECONDS):
                await self.channel(service).channel_ready()

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()


class ServiceCall:
    """Calls one rpc of one service."""

    def __init__(self, services: Services, service: str, rpc: Rpc, *, timeout: float | None = None) -> None:
        """`timeout`: seconds that an answer may take, if not as long as any."""
        self._services = services
        self._service = service
        self._rpc = rpc
        self._mutates = rpc.mutates
        self._timeout = services.timeout if timeout is None else timeout
        self._stub: grpc.aio.UnaryUnaryMultiCallable[bytes, Message] | None = None

    async def __call__(self, request: Message, passport: Passport) -> Reply:
        """Raises the service's own Problem, or Unavailable when it cannot be reached or does not answer in time."""
        data, metadata = request.SerializeToString(), self._metadata(passport)
        try:
            return await self._attempt(data, metadata)
        except grpc.aio.AioRpcError as error:
            if not (self._rpc.repeatable and _was_not_answered(error)):
                raise from_rpc_error(error, self._service) from error
        # Safe also for a mutation: its key travels along, so that it takes effect once.
        await self._services.reconnect(self._service)
        try:
            return await self._attempt(data, metadata)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, self._service) from error

    async def _attempt(self, data: bytes, metadata: tuple[tuple[str, str], ...]) -> Reply:
        call = (self._stub or self._open())(data, metadata=metadata, timeout=self._timeout)
        message = await call
        if not self._mutates:
            return Reply(message)
        return Reply(message, ("idempotency-replayed", "true") in tuple(await call.trailing_metadata()))

    def _open(self) -> Any:
        channel = self._services.channel(self._service)
        self._stub = channel.unary_unary(self._rpc.path, response_deserializer=self._rpc.response_class.FromString)
        return self._stub

    def _metadata(self, passport: Passport) -> tuple[tuple[str, str], ...]:
        token = self._services.signer.sign(passport.principal, self._service)
        metadata = [("authorization", f"Bearer {token}"), ("x-correlation-id", passport.correlation_id)]
        if passport.idempotency_key is not None:
            metadata.append(("idempotency-key", passport.idempotency_key))
        if passport.if_match is not None:
            metadata.append(("if-match", passport.if_match))
        if passport.traceparent is not None:
            metadata.append(("traceparent", passport.traceparent))
        if passport.signature is not None:
            metadata.append(("x-signature", passport.signature))
        return tuple(metadata)


def _was_not_answered(error: grpc.aio.AioRpcError) -> bool:
    """Whether it was gRPC, not the service, that ended the call: UNAVAILABLE when the connection was lost, CANCELLED
    when the server stopped before it had taken the call up (what waits in gRPC's core is dropped with it)."""
    spoke = any(key == STATUS_DETAILS for key, _ in error.trailing_metadata() or ())
    return error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED) and not spoke
