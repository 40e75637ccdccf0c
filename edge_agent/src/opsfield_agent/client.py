"""HTTP over one connection that is kept open. Every request ends within its time."""

import base64
import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from opsfield_agent import __version__, settings
from opsfield_agent.errors import AgentError
from opsfield_agent.log import one_line
from opsfield_agent.urls import Url

USER_AGENT = f"opsfield-agent/{__version__}"
_CONNECT_SECONDS = 10.0
_MOST_BYTES = 1024 * 1024
_MOST_DETAIL = 300


class Unreachable(Exception):
    """No answer came: the sentence says why."""


@dataclass(frozen=True)
class Answer:
    """What came back; the names of `headers` are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def document(self) -> dict[str, Any]:
        """The JSON object that the body is; empty when it is none."""
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(self.body)
            if isinstance(value, dict):
                return value
        return {}

    @property
    def is_problem(self) -> bool:
        """Whether the platform itself refuses, and not a proxy on the way."""
        return self.headers.get("content-type", "").partition(";")[0].strip() == "application/problem+json"

    @property
    def code(self) -> str:
        """The problem's code, "" without one."""
        return str(self.document().get("code", "")) if self.is_problem else ""

    def describe(self) -> str:
        """For a sentence: the status, and what the platform says about it."""
        if not self.is_problem:
            return f"status {self.status}"
        problem = self.document()
        said = [str(problem.get("detail") or problem.get("title") or problem.get("code") or "")]
        errors = problem.get("errors")
        if isinstance(errors, list):
            said += [f"{each.get('path')}: {each.get('message')}" for each in errors[:5] if isinstance(each, dict)]
        return one_line(f"status {self.status}: {' · '.join(filter(None, said))}", _MOST_DETAIL)


def tls(ca_file: str | None) -> ssl.SSLContext:
    """Trust the system's certificate authorities, or those in the file alone. Raises AgentError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        raise AgentError(f"The certificate file {ca_file} cannot be used: {error}.") from None


class Client:
    """Speaks to one server, one request at a time."""

    def __init__(self, url: Url, ca_file: str | None = None) -> None:
        """Paths of requests come after that of the URL. Raises AgentError for a certificate file it cannot use."""
        self.url = url
        self._tls = tls(ca_file) if url.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None
        self._stopped = False
        # What a request needs beyond its own when it goes through a proxy.
        self._prefix = ""
        self._proxy_headers: dict[str, str] = {}
        # The address by which this machine reaches the server.
        self.local_address: str | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        seconds: float = 30.0,
        read_body: bool = True,
    ) -> Answer:
        """Send it and wait for the answer, whatever its status. Raises Unreachable.

        A request may reach the server twice: on a kept connection that the server has closed meanwhile, it is sent
        again on a new one.
        """
        is_kept = self._connection is not None
        exchange = partial(self._exchange, method, path, headers or {}, body, seconds, read_body)
        try:
            try:
                return exchange()
            except ConnectionError:  # RemoteDisconnected is one.
                if not is_kept or self._stopped:
                    raise
                return exchange()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(self._why(error)) from None

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def stop(self) -> None:
        """From another thread: let the request that is under way fail now, and all that follow."""
        self._stopped = True
        self._abort()

    def _abort(self) -> None:
        connection = self._connection
        if connection is not None and isinstance(connection.sock, socket.socket):
            # Beneath TLS, whose own shutdown must not be called while another thread reads.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    def _exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None, seconds: float, read_body: bool
    ) -> Answer:
        complete = False
        try:
            with self._at_most(seconds):
                connection = self._connected(seconds)
                own = {"User-Agent": USER_AGENT, "Accept": "application/json", "Host": self.url.authority}
                target = self._prefix + (self.url.path + path or "/")
                connection.request(method, target, body=body, headers={**own, **self._proxy_headers, **headers})
                response = connection.getresponse()
                content = _read(response) if read_body else b""
            complete = response.isclosed() and not response.will_close
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)
        finally:
            if not complete:
                self.close()

    @contextlib.contextmanager
    def _at_most(self, seconds: float) -> Iterator[None]:
        # The socket's own timeout starts anew with each byte, so a slow server could hold us forever.
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._abort()

        deadline = threading.Timer(seconds, expire)
        deadline.daemon = True
        deadline.start()
        try:
            yield
        except (OSError, http.client.HTTPException):
            if expired.is_set():
                raise TimeoutError from None
            raise
        finally:
            deadline.cancel()
        # An answer that was cut off within its headers would pass for one.
        if expired.is_set():
            raise TimeoutError

    def _connected(self, seconds: float) -> http.client.HTTPConnection:
        if self._stopped:
            raise ConnectionAbortedError
        if self._connection is None:
            self._connection = self._new_connection(min(seconds, _CONNECT_SECONDS))
            self._connection.connect()
        connection = self._connection
        connection.sock.settimeout(seconds)
        self.local_address = str(connection.sock.getsockname()[0])
        return connection

    def _new_connection(self, seconds: float) -> http.client.HTTPConnection:
        url = self.url
        proxy = None if url.is_loopback else settings.proxy(url.scheme, url.host)
        host, port, credentials = _proxy_address(proxy) if proxy else (url.host, url.port, {})
        self._prefix, self._proxy_headers = "", {}
        if self._tls is None:
            if proxy:
                self._prefix, self._proxy_headers = f"http://{url.authority}", credentials
            return http.client.HTTPConnection(host, port, timeout=seconds)
        connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=self._tls)
        if proxy:
            connection.set_tunnel(url.host, url.port, credentials)
        return connection

    def _why(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the certificate of {self.url.host} is not trusted: {error.verify_message}"
        if isinstance(error, ssl.SSLError):
            return f"TLS with {self.url.authority} failed: {error.reason or error}"
        if isinstance(error, socket.gaierror):
            return f"the name {self.url.host} is not known"
        if isinstance(error, TimeoutError):
            return f"{self.url.authority} did not answer in time"
        if isinstance(error, ConnectionRefusedError):
            return f"{self.url.authority} takes no connections"
        if isinstance(error, ConnectionError | http.client.IncompleteRead):
            return f"{self.url.authority} closed the connection without an answer"
        if isinstance(error, http.client.HTTPException):
            return f"{self.url.authority} does not speak HTTP ({type(error).__name__})"
        return one_line(f"{self.url.authority} cannot be reached: {error}", _MOST_DETAIL)


def _read(response: http.client.HTTPResponse) -> bytes:
    content = b""
    while part := response.read(64 * 1024):
        content += part
        if len(content) > _MOST_BYTES:
            raise Unreachable("the answer is too long")
    if response.length:  # What is still to come never will.
        raise http.client.IncompleteRead(content, response.length)
    return content


def _proxy_address(proxy: str) -> tuple[str, int, dict[str, str]]:
    parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    if not parts.hostname:
        raise ValueError("the proxy's address cannot be read")
    headers = {}
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
    return parts.hostname, parts.port or 8080, headers
