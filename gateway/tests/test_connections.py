"""A connection that is held open with little is ended, whatever the little is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


async def answer_much(scope: Any, receive: Any, send: Any) -> None:
    """In more than the system's buffers take."""
    del receive
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(MUCH))]})
        await send({"type": "http.response.body", "body": MUCH})


@asynccontextmanager
async def serving(application: Any, *, keep_alive: int = 3600) -> AsyncIterator[uvicorn.Server]:
    config = uvicorn.Config(
        application,
        port=0,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=keep_alive,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server
    server.should_exit = server.force_exit = True
    await task


def port_of(server: uvicorn.Server) -> int:
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


@pytest_asyncio.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(connections, "_HEAD_SECONDS", 0.3)
    async with serving(refuse) as server:
        yield port_of(server)


POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
MUCH = bytes(32 * 1024 * 1024)


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


@pytest.mark.parametrize("keep_alive", [1, 3600], ids=["ended as idle meanwhile", "kept"])
async def test_an_answer_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch, keep_alive: int) -> None:
    monkeypatch.setattr(connections, "_READ_SECONDS", 0.3)
    async with serving(answer_much, keep_alive=keep_alive) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(server), limit=1024)
        writer.write(GET)
        async with asyncio.timeout(60):
            while not server.server_state.total_requests:
                await asyncio.sleep(0.01)
            while server.server_state.connections:
                await asyncio.sleep(0.01)
        writer.close()


@pytest.mark.parametrize("keep_alive", [1, 3600], ids=["ended as idle meanwhile", "kept"])
async def test_an_answer_that_is_read_slowly_comes_whole(monkeypatch: pytest.MonkeyPatch, keep_alive: int) -> None:
    monkeypatch.setattr(connections, "_READ_SECONDS", 1.0)
    async with serving(answer_much, keep_alive=keep_alive) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(12):
            await reader.readexactly(len(MUCH) // 12)
            await asyncio.sleep(0.2)
        assert len(await reader.readexactly(len(MUCH) % 12)) == len(MUCH) % 12
        writer.close()


UPGRADES = {
    "HTTP/2": b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQBAAAAAAIAAAAA\r\n",
    "a web socket": b"connection: keep-alive, Upgrade\r\nupgrade: websocket\r\n",
    "two": b"upgrade: h2c\r\nconnection: keep-alive\r\nUpgrade: TLS/1.0\r\nConnection: upgrade\r\n",
}
# As a body it belongs to its request, whatever it looks like.
HIDDEN = b"GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n"
LENGTH = b"content-length: %d\r\n" % len(HIDDEN)
FRAMED = {
    "a length": (LENGTH, HIDDEN),
    "chunks": (b"transfer-encoding: chunked\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
}
LAST = b"PUT / HTTP/1.1\r\nhost: x\r\nconnection: close, upgrade\r\nupgrade: h2c\r\n\r\n"


async def received(*parts: bytes) -> list[tuple[str, bytes]]:
    """The method and body of each request that is read from these parts, the last of which ends the connection."""
    seen: list[tuple[str, bytes]] = []

    async def note(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        seen.append((scope["method"], body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async with serving(note) as server, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.03)
        await reader.read()
        writer.close()
    return seen


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES.keys())
@pytest.mark.parametrize(("framing", "body"), FRAMED.values(), ids=FRAMED.keys())
async def test_what_asks_for_another_protocol_keeps_its_body(upgrade: bytes, framing: bytes, body: bytes) -> None:
    """RFC 9110, 7.8: a server that does not know the protocol ignores it."""
    head = b"POST / HTTP/1.1\r\nhost: x\r\n" + upgrade + framing + b"\r\n"
    once, end = [("POST", HIDDEN)], [("PUT", b"")]
    assert await received(head + body + LAST) == once + end
    assert await received(head, body, LAST) == once + end
    assert await received(head[:60], head[60:] + body[:9], body[9:] + LAST[:30], LAST[30:]) == once + end
    assert await received(head + body + head, body + LAST) == once + once + end


async def test_old_http_that_asks_for_another_protocol_keeps_its_body() -> None:
    head = b"POST / HTTP/1.0\r\n" + UPGRADES["HTTP/2"] + LENGTH + b"\r\n"
    assert await received(head, HIDDEN) == [("POST", HIDDEN)]


async def test_asking_for_another_protocol_behind_the_body_changes_nothing() -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\ntransfer-encoding: chunked\r\n\r\n"
    body = b"2\r\n{}\r\n0\r\nupgrade: h2c\r\n\r\n"
    assert await received(head + body, LAST) == [("POST", b"{}"), ("PUT", b"")]


async def test_a_tunnel_is_refused() -> None:
    assert await received(b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n" + UPGRADES["HTTP/2"] + b"\r\n" + GET) == []
