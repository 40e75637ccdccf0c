"""A TCP proxy whose connections can be cut, held up and reset: the network between two programs."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

_CHUNK = 64 * 1024
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
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._port)

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        await self.reset()

    async def reset(self) -> None:
        """Reset all connections."""
        for writer in list(self._open):
            connection = writer.get_extra_info("socket")
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

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

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
