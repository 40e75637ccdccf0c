"""Books of others, on loopback: an HTTP server that keeps what it is told, gives out tokens of which each is good until
the second one after it, and fails as it is asked to."""

import json
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]


class FakeBooks(ABC):
    """`faults`: what befalls the next requests that create or change something of a kind: "429" and "401" keep it from
    being done, "drop" lets it be done and loses the answer. `taken`: how often what was done. `kinds`: what they call
    customers, invoices and payments; `tax_code`: what they call 20 %."""

    provider: str
    account: str
    kinds: tuple[str, str, str]
    tax_code: str

    def __init__(self) -> None:
        self.port = 0
        self.empty()

    def empty(self) -> None:
        self.faults: dict[str, list[str]] = {}
        self.taken: Counter[str] = Counter()
        self.refresh_tokens = ["refresh-0"]
        self.access_tokens: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refreshed(self, token: str) -> Json | None:
        """None for a token that is not good any more."""
        if token not in self.refresh_tokens[-2:]:
            return None
        number = len(self.refresh_tokens)
        self.refresh_tokens.append(f"refresh-{number}")
        self.access_tokens.append(f"access-{number}")
        return {
            "access_token": f"access-{number}",
            "refresh_token": f"refresh-{number}",
            "token_type": "bearer",
            "expires_in": 3600,
        }

    def is_known(self, authorization: str) -> bool:
        return bool(self.access_tokens) and authorization == f"Bearer {self.access_tokens[-1]}"

    def fault(self, kind: str) -> str | None:
        return self.faults.get(kind, []).pop(0) if self.faults.get(kind) else None

    @property
    def secret(self) -> Json:
        """What connects us, but for which company it is."""
        return {"clientId": "our-id", "clientSecret": "our-secret", "refreshToken": "refresh-0"}

    @abstractmethod
    def pay(self, invoice_id: str, amount: str) -> Json:
        """As a bookkeeper does it there."""

    @abstractmethod
    def take_back(self, payment_id: str) -> None:
        """A payment, as a bookkeeper does it there."""

    @abstractmethod
    def take_number(self, number: str) -> None:
        """Write an invoice over 1 EUR of that number, to a customer who is called Acme."""

    @abstractmethod
    def invoices(self) -> dict[str, tuple[str, Decimal]]:
        """By number: the id and the total."""

    @abstractmethod
    def payments(self) -> dict[str, Decimal]:
        """What those come to that count, by id."""

    @abstractmethod
    def answer(
        self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes
    ) -> tuple[int, Json] | None:
        """Status and JSON; None: the answer is lost."""


@contextmanager
def serving(books: FakeBooks) -> Iterator[None]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            with lock:
                answer = books.answer(self.command, parts.path, query, self.headers, body)
            if answer is None:
                self.close_connection = True
                self.connection.close()
                return
            status, found = answer
            data = json.dumps(found, default=_number).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if status == 429:
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _do  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    books.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _number(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value).__name__)
