"""A load generator that costs little: raw HTTP/1.1 over kept-alive connections, bounded in count and time."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import quantiles
from urllib.parse import urlsplit

RequestMaker = Callable[[], bytes]


@dataclass(frozen=True)
class Measured:
    """`rate` in requests per second, latencies in milliseconds."""

    rate: float
    p50: float
    p99: float
    count: int


def get(url: str, headers: dict[str, str]) -> bytes:
    """A GET request, ready to send."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {parts.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def post(url: str, headers: dict[str, str], body: bytes) -> bytes:
    """A POST request with a JSON body, ready to send."""
    parts = urlsplit(url)
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def measure(address: str, make: RequestMaker, *, connections: int, seconds: float, status: int) -> Measured:
    """Send what `make` makes to `address` (host:port) for that long. Raises RuntimeError at any other status."""
    host, _, port = address.rpartition(":")
    latencies: list[float] = []
    deadline = time.perf_counter() + seconds
    started = time.perf_counter()
    await asyncio.gather(*(_one(host, int(port), make, deadline, status, latencies) for _ in range(connections)))
    elapsed = time.perf_counter() - started
    return summarize(latencies, elapsed)


def summarize(latencies: list[float], elapsed: float) -> Measured:
    """`latencies` in seconds."""
    cuts = quantiles(latencies, n=100)
    return Measured(len(latencies) / elapsed, cuts[49] * 1000, cuts[98] * 1000, len(latencies))


async def _one(host: str, port: int, make: RequestMaker, deadline: float, status: int, latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    expected = f"HTTP/1.1 {status}".encode()
    try:
        while (begun := time.perf_counter()) < deadline:
            writer.write(make())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            latencies.append(time.perf_counter() - begun)
            if not head.startswith(expected):
                raise RuntimeError(f"{head.splitlines()[0].decode()}: {body[:300].decode()}")
    finally:
        writer.close()
