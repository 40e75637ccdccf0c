"""A token issuer that publishes its keys over HTTP, for tests."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class Issuer:
    """Answers every request with `status` and `body`, and counts them."""

    def __init__(self) -> None:
        self.status = "200 OK"
        self.body = b'{"keys": []}'
        self.headers = ""
        self.requests = 0
        self.url = ""

    def publish(self, *keys: dict[str, Any]) -> None:
        self.status, self.body = "200 OK", json.dumps({"keys": keys}).encode()

    def fail(self) -> None:
        self.status, self.body = "500 Internal Server Error", b"down"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        head = f"HTTP/1.1 {self.status}\r\ncontent-length: {len(self.body)}\r\nconnection: close\r\n{self.headers}\r\n"
        writer.write(head.encode() + self.body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def running_issuer() -> AsyncIterator[Issuer]:
    """An issuer on a local port."""
    issuer = Issuer()
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    issuer.url = f"http://{host}:{port}/keys"
    async with server:
        yield issuer
