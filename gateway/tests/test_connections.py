"""A connection that is held open with little is ended, whatever the little is."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import uvicorn

from gateway import connections
from gateway.connections import BoundedProtocol


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Answers before the body is there, as the gateway does to whoever has no token."""
    del receive
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@pytest_asyncio.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(connections, "_HEAD_SECONDS", 0.3)
    config = uvicorn.Config(
        refuse, port=0, http=BoundedProtocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=3600
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = server.force_exit = True
    await serving


POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nhost: x\r\n", b"x"),
        (POST, b"x"),
        (GET, b"\r\n"),
        (GET, b"GET / HTTP/1.1\r\n"),
    ],
    ids=["silence", "a head that dribbles", "a body after its answer", "empty lines", "a second head"],
)
async def test_who_dribbles_is_cut_off(port: int, first: bytes, then: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    if first.endswith(b"\r\n\r\n"):
        assert b"401" in await reader.readuntil(b"\r\n\r\n")
    writer.write(then)
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    writer.close()


async def test_a_body_that_comes_after_its_answer_leaves_the_connection_usable(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(POST.replace(b"1000000", b"3"))
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"abc" + GET)
    assert b"401" in await reader.readuntil(b"\r\n\r\n")
    writer.close()
