"""Whether a program of the local platform is ready to work."""

import asyncio
from collections.abc import Awaitable, Callable

import grpc
import httpx
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from devstack.layout import StackError
from devstack.supervisor import Child, describe_end

PAUSE = 0.05

# The library's own pauses between attempts suit a network, not a start-up.
CHANNEL_OPTIONS = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100)]


async def wait_for_service(child: Child, address: str, seconds: float) -> None:
    """Return once the gRPC server at `address` says SERVING. Raises StackError when `child` ends or time runs out."""
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )

        async def serving() -> bool:
            try:
                answer = await check(HealthCheckRequest(), timeout=1, wait_for_ready=True)
            except grpc.aio.AioRpcError:
                return False
            return answer.status == HealthCheckResponse.SERVING

        await _wait(child, serving, seconds)


async def wait_for_gateway(child: Child, base_url: str, seconds: float) -> None:
    """Return once `GET /health` answers 200. Raises StackError when `child` ends or time runs out."""
    async with httpx.AsyncClient(base_url=base_url, timeout=2, trust_env=False) as client:

        async def healthy() -> bool:
            try:
                return (await client.get("/health")).status_code == httpx.codes.OK
            except httpx.HTTPError:
                return False

        await _wait(child, healthy, seconds)


async def _wait(child: Child, ready: Callable[[], Awaitable[bool]], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while child.running:
                if await ready():
                    return
                await asyncio.sleep(PAUSE)
    except TimeoutError:
        raise StackError(
            f"{child.name} is not ready after {seconds:.0f} s; the end of its log:\n{child.last_words()}"
        ) from None
    how = describe_end(await child.wait())
    raise StackError(f"{child.name} {how} before it was ready; the end of its log:\n{child.last_words()}")
