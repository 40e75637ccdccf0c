"""HTTP as no client writes it, over a socket: requests that a proxy and the gateway might read differently, paths that
try to be others, bodies that are not what they say. Each is refused or answered as what it plainly is, never with a
5xx, and the next one on a new connection is served."""

import re
import socket
from urllib.parse import urlsplit

import pytest

from tests.platform import Api, Platform

REFUSED = {400, 401, 404, 405, 409, 413, 415, 422, 431}
LAST = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


class Wire:
    """Sends bytes to the gateway as somebody who is let in."""

    def __init__(self, platform: Platform) -> None:
        url = urlsplit(platform.stack.base_url)
        self._address = (url.hostname or "", url.port or 80)
        self.workspace = "raw-http"
        token = platform.stack.token(("ops_engineer",), (self.workspace,))
        self.token = token.encode()
        self.known = b"host: x\r\nauthorization: Bearer " + self.token + b"\r\nx-workspace-id: raw-http\r\n"

    def send(self, *parts: bytes, then: bytes = LAST) -> list[int]:
        """The statuses of all answers but that to the last request, which ends the connection; without `then`, this
        side ends it."""
        data = b""
        with socket.create_connection(self._address, timeout=60) as connection:
            try:
                for part in (*parts, then):
                    connection.sendall(part)
                if not then:
                    connection.shutdown(socket.SHUT_WR)
                while more := connection.recv(65536):
                    data += more
            except ConnectionError:
                pass  # refused before all was sent
        statuses = [int(each) for each in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", data)]
        return statuses[:-1] if statuses[-1:] == [200] and b"connection: close" in then else statuses

    def is_serving(self) -> bool:
        return self.send(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n") == [200]


@pytest.fixture(scope="module")
def wire(platform: Platform) -> Wire:
    return Wire(platform)


LIST = b"GET /api/v1/tickets HTTP/1.1\r\n"
CREATE = b"POST /api/v1/clients HTTP/1.1\r\ncontent-type: application/json\r\nidempotency-key: raw\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
SMUGGLED = b"GET /api/v1/clients HTTP/1.1\r\nhost: x\r\n\r\n"

HEADS = {
    "two lengths": CREATE + b"content-length: 2\r\ncontent-length: 40\r\n%s\r\n{}" + SMUGGLED,
    "the same length twice": CREATE + b"content-length: 2\r\ncontent-length: 2\r\n%s\r\n{}",
    "lengths in a list": CREATE + b"content-length: 2, 40\r\n%s\r\n{}",
    "a length and chunks": CREATE + b"content-length: 4\r\ntransfer-encoding: chunked\r\n%s\r\n0\r\n\r\n" + SMUGGLED,
    "chunks and a length": CREATE + b"transfer-encoding: chunked\r\ncontent-length: 4\r\n%s\r\n0\r\n\r\n" + SMUGGLED,
    "an encoding nobody knows": CREATE + b"transfer-encoding: xchunked\r\n%s\r\n0\r\n\r\n",
    "chunks that are not last": CREATE + b"transfer-encoding: chunked, identity\r\n%s\r\n0\r\n\r\n",
    "a blank before the colon": CREATE + b"transfer-encoding : chunked\r\n%s\r\n0\r\n\r\n",
    "a negative length": CREATE + b"content-length: -1\r\n%s\r\n{}",
    "a signed length": CREATE + b"content-length: +2\r\n%s\r\n{}",
    "a length in hexadecimal": CREATE + b"content-length: 0x2\r\n%s\r\n{}",
    "a length beyond 64 bits": CREATE + b"content-length: 99999999999999999999999\r\n%s\r\n{}",
    "a chunk's size that is none": CREATE + b"transfer-encoding: chunked\r\n%s\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a chunk's size beyond 64 bits": CREATE
    + b"transfer-encoding: chunked\r\n%s\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": CREATE + b"transfer-encoding: chunked\r\n%s\r\n1\r\n{}\r\n0\r\n\r\n",
    "chunked twice": CREATE + CHUNKED + CHUNKED + b"%s\r\n2\r\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "chunked, and identity in a second line": CREATE + CHUNKED + b"transfer-encoding: identity\r\n%s\r\n0\r\n\r\n",
    "chunked behind a vertical tab": CREATE + b"transfer-encoding:\x0bchunked\r\n%s\r\n0\r\n\r\n",
    "chunked in quotes": CREATE + b'transfer-encoding: "chunked"\r\n%s\r\n0\r\n\r\n',
    "a chunk's size with a sign": CREATE + CHUNKED + b"%s\r\n+2\r\n{}\r\n0\r\n\r\n",
    "a chunk's size in C": CREATE + CHUNKED + b"%s\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk's size that is negative": CREATE + CHUNKED + b"%s\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a chunk's size before a line feed alone": CREATE + CHUNKED + b"%s\r\n2\n{}\r\n0\r\n\r\n",
    "a chunk's extension before a line feed alone": CREATE + CHUNKED + b"%s\r\n2;\n{}\r\n0\r\n\r\n" + SMUGGLED,
    "a return in a chunk's extension": CREATE + CHUNKED + b"%s\r\n2;\rx\r\n{}\r\n0\r\n\r\n",
    "a chunk's extension of 1 MB": CREATE + CHUNKED + b"%s\r\n2;" + b"a" * 1_000_000 + b"\r\n{}\r\n0\r\n\r\n",
    "a chunk that ends in two bytes of another": CREATE + CHUNKED + b"%s\r\n2\r\n{}xx0\r\n\r\n" + SMUGGLED,
    "two hosts": LIST + b"host: other\r\n%s\r\n",
    "lines that a line feed alone ends": LIST.replace(b"\r", b"") + b"x: y\n%s\n",
    "lines that a return alone ends": LIST.replace(b"\n", b"") + b"x: y\r%s\r",
    "a tab in the request line": b"GET\t/api/v1/tickets HTTP/1.1\r\n%s\r\n",
    "a blank in the path": b"GET /api/v1/tickets /x HTTP/1.1\r\n%s\r\n",
    "a blank before the first header": LIST + b" x: y\r\n%s\r\n",
    "a blank in a header's name": LIST + b"x y: z\r\n%s\r\n",
    "a version in lower case": b"GET /api/v1/tickets http/1.1\r\n%s\r\n",
    "a host and port as the path": b"GET 169.254.169.254:80 HTTP/1.1\r\n%s\r\n",
    "an upgrade to HTTP/2": LIST + b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: x\r\n"
    b"content-length: x\r\n%s\r\n",
    "a folded header": LIST + b"x-folded: a\r\n b\r\n%s\r\n",
    "a NUL in a header": LIST + b"x-nul: a\0b\r\n%s\r\n",
    "a NUL in a header's name": LIST + b"x\0: a\r\n%s\r\n",
    "a return in a header": LIST + b"x-return: a\rb\r\n%s\r\n",
    "a header without a name": LIST + b": a\r\n%s\r\n",
    "a header of 100 kB": LIST + b"x-long: " + b"a" * 100_000 + b"\r\n%s\r\n",
    "a thousand headers": LIST + b"".join(b"x-%d: 1\r\n" % number for number in range(1000)) + b"%s\r\n",
    "two workspaces": LIST + b"x-workspace-id: other\r\n%s\r\n",
    "two tokens": LIST + b"authorization: Bearer x\r\n%s\r\n",
    "two keys": CREATE + b"idempotency-key: other\r\ncontent-length: 12\r\n%s\r\n" + b'{"name":"a"}',
    "a method that is none": b"FOO /api/v1/tickets HTTP/1.1\r\n%s\r\n",
    "TRACE": b"TRACE /api/v1/tickets HTTP/1.1\r\n%s\r\n",
    "CONNECT": b"CONNECT 169.254.169.254:80 HTTP/1.1\r\n%s\r\n",
    "HTTP/0.9": b"GET /api/v1/tickets\r\n\r\n",
    "HTTP/9.9": b"GET /api/v1/tickets HTTP/9.9\r\n%s\r\n",
    "HTTP/2 unasked": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_a_request_that_can_be_read_in_two_ways_is_refused(wire: Wire, head: bytes) -> None:
    statuses = wire.send(head.replace(b"%s", wire.known))
    # One answer at most: what follows is never taken for a request of its own.
    assert len(statuses) <= 1, statuses
    assert set(statuses) <= REFUSED, statuses
    assert wire.is_serving()


def test_a_body_that_ends_before_it_should_changes_nothing(wire: Wire) -> None:
    statuses = wire.send(CREATE + b"content-length: 40\r\n" + wire.known + b'\r\n{"name": "Cut"}', then=b"")
    assert set(statuses) <= REFUSED, statuses
    assert wire.is_serving()


PATHS = [
    "//api/v1/tickets", "/api//v1/tickets", "/api/v1/../v1/tickets", "/api/v1/health/../tickets",
    "/api/v1/%2e%2e/v1/tickets", "/api/v1/health/..%2ftickets", "/api/v1/./tickets", "/api/v1/tickets/",
    "/api/v1/tickets;a=b",
    "/api/v1/tickets/..;/clients", "/api/v1/tickets%00", "/api/v1/tickets%20", "/api/v1/tickets%0d%0ax: y",
    "/api/v1/tickets%252f", "/api/v1\\tickets", "/api/v1/TICKETS", "/API/v1/tickets", "/api/v1/tickets/%c0%ae%c0%ae/",
    "/api/v1/tickets/%ff", "/api/v1/tickets/%", "/api/v1/tickets/%zz", "/api/v1/tickets/\xff",
    "/api/v1/tickets/..%2f..%2fplatform%2fsettings", "/api/v1/{tickets}", "*",
    "/api/v1/tickets%2f..%2fclients", "/api/v1/tickets/%2e%2e/clients", "/api/v1/tickets/%2e", "/api/v1/tickets%5c",
    "/api/v1%ef%bc%8ftickets", "/api/v1/tickets%0a", "/api/v1/tickets%ed%a0%80", "/api/v1/tickets\x7f",
    "http://x@169.254.169.254/api/v1/../v1/tickets", "file:///api/v1/tickets%00", "api/v1/tickets", "?/api/v1/tickets",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_tries_to_be_another_leads_nowhere(wire: Wire, path: str) -> None:
    statuses = wire.send(b"GET %s HTTP/1.1\r\n%s\r\n" % (path.encode("latin-1"), wire.known))
    assert len(statuses) <= 1, statuses
    assert set(statuses) <= REFUSED, statuses
    assert wire.is_serving()


@pytest.mark.parametrize("header", ["x-http-method-override", "x-http-method", "x-method-override"])
def test_a_method_is_not_overridden(wire: Wire, header: str) -> None:
    head = b"GET /api/v1/tickets HTTP/1.1\r\n%s: DELETE\r\n%s\r\n" % (header.encode(), wire.known)
    assert wire.send(head) == [200]


@pytest.mark.parametrize("header", ["x-original-url", "x-rewrite-url", "x-forwarded-prefix", "x-forwarded-host"])
def test_a_path_is_not_overridden(wire: Wire, header: str) -> None:
    head = b"GET /api/v1/platform/secrets HTTP/1.1\r\n%s: /health\r\n%s\r\n" % (header.encode(), wire.known)
    assert wire.send(head) == [403]


def test_a_whole_url_is_its_path(wire: Wire) -> None:
    """RFC 9112, 3.2.2; the host in it is not called."""
    assert wire.send(b"GET http://169.254.169.254/latest HTTP/1.1\r\n" + wire.known + b"\r\n") == [404]


def test_what_comes_after_a_body_is_no_header(wire: Wire) -> None:
    body = b"2\r\n{}\r\n0\r\nauthorization: Bearer %s\r\nx-workspace-id: raw-http\r\n\r\n" % wire.token
    assert wire.send(CREATE + CHUNKED + b"host: x\r\n\r\n" + body) == [401]


def test_old_http_and_expectations_are_served(wire: Wire) -> None:
    assert wire.send(b"GET /health HTTP/1.0\r\n\r\n", then=b" ") == [200]
    body = b'{"name": "Expected"}'
    head = CREATE.replace(b"raw", b"expected") + b"expect: 100-continue\r\ncontent-length: %d\r\n" % len(body)
    assert wire.send(head + wire.known + b"\r\n", body) == [100, 201]


@pytest.mark.parametrize("other", [b"h2c", b"websocket"])
def test_a_body_is_no_other_protocols_and_no_other_request(wire: Wire, other: bytes) -> None:
    """An upgrade that is not known is ignored (RFC 9110, 7.8)."""
    upgrade = b"connection: keep-alive, upgrade\r\nupgrade: %s\r\n" % other
    head = CREATE + upgrade + b"content-length: %d\r\n%s\r\n" % (len(SMUGGLED), wire.known)
    # What stands in the body is no JSON, and nobody's request.
    assert wire.send(head + SMUGGLED) == wire.send(head, SMUGGLED) == [400]
    assert wire.send(LIST + upgrade + wire.known + b"\r\n") == [200]


def test_who_is_refused_cannot_have_the_next_request_taken_for_his(wire: Wire) -> None:
    """Pipelined: each answer is for its own request, with its own token."""
    nobody = LIST + b"host: x\r\n\r\n"
    somebody = LIST + wire.known + b"\r\n"
    assert wire.send(nobody + somebody + nobody) == [401, 200, 401]


def test_nothing_of_it_was_done(wire: Wire, platform: Platform) -> None:
    with platform.api(workspace=wire.workspace) as api:
        names = [each["name"] for each in _clients(api)]
    assert names in ([], ["Expected"])


def _clients(api: Api) -> list[dict[str, str]]:
    data: list[dict[str, str]] = api.get("/clients").json()["data"]
    return data
