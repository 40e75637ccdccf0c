"""Bounds on what a connection may cost before its request is known, and after its answer: uvicorn's HTTP protocol takes
headers without end, however long they take to come, and keeps an answer for ever for who does not read it."""

import asyncio
from http import HTTPStatus
from typing import Any, NoReturn

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway import problems
from kit import ids
from kit.errors import HeadersTooLarge, Malformed, Problem, UrlTooLong

_MOST_HEADERS = 100
_MOST_BYTES = 16 * 1024
_LONGEST_URL = 8 * 1024
_HEAD_SECONDS = 10.0
_READ_SECONDS = 30.0


class _Parser(httptools.HttpRequestParser):
    """Ignores that a head asks for another protocol (RFC 9110, 7.8). httptools would take the body that follows for one
    in that protocol, and so for none, or for the next request."""

    def __init__(self, protocol: "BoundedProtocol") -> None:
        self._protocol = protocol
        self._begin()

    def feed_data(self, data: Any) -> None:
        rest = memoryview(data)
        while True:
            try:
                return super().feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
            head = self._protocol.head_without_upgrade()
            self._begin()
            super().feed_data(head)

    def _begin(self) -> None:
        super().__init__(self._protocol)
        # As in uvicorn: a request that closes may be followed by others, which are not looked at.
        self.set_dangerous_leniencies(lenient_data_after_close=True)


class BoundedProtocol(HttpToolsProtocol):
    """A head (request line and headers) has at most 8 KiB of URL, 100 headers and 16 KiB in all, and 10 s to arrive.
    More is answered with a problem, more time with the end of the connection. What comes after an answer has as long
    until it is followed by the next head. Of an answer that waits to be read, some must be taken every 30 s."""

    _timer: asyncio.TimerHandle | None = None
    _reader_timer: asyncio.TimerHandle | None = None
    _head_open = True
    _head_bytes = 0
    _refusal: Problem | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser = _Parser(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(_HEAD_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_reader_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # Most heads arrive in one piece and need no timer. What comes after an answer, the rest of a refused body or
        # empty lines, has ended uvicorn's wait for the next request.
        if self._timer is None and (self._head_open or self._is_answered()):
            self._timer = self.loop.call_later(_HEAD_SECONDS, self._give_up)

    def on_message_begin(self) -> None:
        self._head_open, self._head_bytes = True, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > _LONGEST_URL:
            self._refuse(UrlTooLong(f"The URL may have {_LONGEST_URL} bytes at most."))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > _MOST_BYTES or len(self.headers) >= _MOST_HEADERS:
            self._refuse(
                HeadersTooLarge(f"There may be {_MOST_HEADERS} headers at most, of {_MOST_BYTES} bytes together.")
            )
        # After a body it is a trailer, which must not count as a header (RFC 9110, 6.5.1).
        if self._head_open:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_open = False
        self._stop_timer()
        if not self.parser.should_upgrade():
            super().on_headers_complete()
        elif self.parser.get_method() == b"CONNECT":
            self._refuse(Malformed("CONNECT is for proxies.", code="malformed-http"))

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def head_without_upgrade(self) -> bytes:
        """The head that was read last, as if it did not ask for another protocol."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        headers = b"".join(b"%s: %s\r\n" % each for each in self.headers if each[0] != b"upgrade")
        return b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, headers)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reader()

    def resume_writing(self) -> None:
        # Of what is being closed the last byte counts as well.
        if not self.transport.is_closing():
            self._stop_reader_timer()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        self._give_up()

    def send_400_response(self, msg: str) -> None:
        """In uvicorn's stead, which tells it in plain text. Nothing of the request is repeated, not even its path."""
        problem = self._refusal or Malformed("This is no request of HTTP/1.1.", code="malformed-http")
        correlation_id = ids.new_id()
        body = problems.body(problem, correlation_id=correlation_id)
        head = (
            f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\ncontent-type: {problems.MEDIA_TYPE}\r\n"
            f"x-correlation-id: {correlation_id}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _refuse(self, problem: Problem) -> NoReturn:
        """Ends the parsing of this connection."""
        self._refusal = problem
        raise ValueError(problem.detail)

    def _is_answered(self) -> bool:
        return self.cycle is not None and self.cycle.response_complete

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _expect_reader(self) -> None:
        self._stop_reader_timer()
        if left := self.transport.get_write_buffer_size():
            self._reader_timer = self.loop.call_later(_READ_SECONDS, self._look_at_reader, left)

    def _look_at_reader(self, before: int) -> None:
        if self.transport.get_write_buffer_size() < before:
            self._expect_reader()
        else:
            self.transport.abort()

    def _stop_reader_timer(self) -> None:
        if self._reader_timer:
            self._reader_timer.cancel()
            self._reader_timer = None

    def _give_up(self) -> None:
        if self.transport and not self.transport.is_closing():
            self.transport.close()
            self._expect_reader()
