"""A TCP proxy whose connections can be reset, torn in the middle of what they say, held up and slowed down: the network
between two programs."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

_CHUNK = 64 * 1024
_LATENCY_SECONDS = 0.05
# Closing with this sends RST: what is under way is lost.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on `port` of loopback, once it is started, and hands on to wherever `target` says at that moment."""

    def __init__(self, port: int, target: Callable[[], tuple[str, int]]) -> None:
        self.address = f"127.0.0.1:{port}"
        self._port = port
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._latency = 0.0
        self._tearing = False
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._port)

    async def stop(self) -> None:
        assert self._server is not None, "it was started"
        self._server.close()
        await self.reset()
        await self._server.wait_closed()

    async def reset(self) -> None:
        """Reset all connections."""
        for writer in list(self._open):
            connection = writer.get_extra_info("socket")
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    async def tear(self) -> None:
        """Of what is said next let half through, then reset all connections."""
        self._tearing = True

    async def slow(self, seconds: float) -> None:
        """For so long let everything through 50 ms later."""
        self._latency = _LATENCY_SECONDS
        await asyncio.sleep(seconds)
        self._latency = 0.0

    async def hold(self, seconds: float) -> None:
        """Let nothing through for so long, and lose nothing."""
        self._flowing.clear()
        await asyncio.sleep(seconds)
        self._flowing.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(*self._target())
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, inner_writer}
        try:
            await asyncio.gather(self._hand_on(reader, inner_writer), self._hand_on(inner_reader, writer))
        finally:
            self._open -= {writer, inner_writer}
            for each in (writer, inner_writer):
                each.transport.abort()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await asyncio.sleep(self._latency)
                await self._flowing.wait()
                if self._tearing:
                    self._tearing = False
                    writer.write(data[: len(data) // 2])
                    await writer.drain()
                    await self.reset()
                    return
                writer.write(data)
                await writer.drain()
        writer.close()
