"""Stripe's API as far as the portal uses it, in memory: payment intents, each made once for a key."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

KEY = "sk_test_of_this_test"


@dataclass
class FakeStripe:
    """`intents` by id. `fails`: the answers (status, error) that come next instead."""

    url: str = ""
    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    fails: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    _by_key: dict[str, str] = field(default_factory=dict)

    def paid(self, intent_id: str) -> None:
        """The payer has paid."""
        intent = self.intents[intent_id]
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *lines = head.decode().split("\r\n")
                verb, path, _ = line.split(" ")
                headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
                body = await reader.readexactly(int(headers.get("content-length") or 0))
                self.requests.append((verb, path))
                status, answer = self._answer(verb, path, headers, dict(parse_qsl(body.decode())))
                data = json.dumps(answer).encode()
                head_out = ["content-type: application/json", f"content-length: {len(data)}"]
                writer.write("\r\n".join((f"HTTP/1.1 {status} X", *head_out, "", "")).encode() + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(
        self, verb: str, path: str, headers: dict[str, str], form: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        if self.fails:
            status, error = self.fails.pop(0)
            return status, {"error": error}
        if headers.get("authorization") != f"Bearer {KEY}":
            return 401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}
        _, _, _, *rest = path.split("/")
        if verb == "POST" and not rest:
            return 200, self._create(headers["idempotency-key"], form)
        intent = self.intents[rest[0]]
        if verb == "POST" and rest[1:] == ["cancel"]:
            if intent["status"] != "requires_payment_method":
                return 400, {"error": {"type": "invalid_request_error", "code": "payment_intent_unexpected_state"}}
            intent["status"] = "canceled"
        return 200, intent

    def _create(self, key: str, form: dict[str, str]) -> dict[str, Any]:
        if key not in self._by_key:
            intent_id = f"pi_{len(self.intents) + 1}"
            self._by_key[key] = intent_id
            self.intents[intent_id] = {
                "id": intent_id,
                "object": "payment_intent",
                "amount": int(form["amount"]),
                "amount_received": 0,
                "currency": form["currency"],
                "status": "requires_payment_method",
                "client_secret": f"{intent_id}_secret_x",
                "metadata": {
                    name.removeprefix("metadata[").removesuffix("]"): value
                    for name, value in form.items()
                    if name.startswith("metadata[")
                },
            }
        return self.intents[self._by_key[key]]


@asynccontextmanager
async def running_stripe() -> AsyncIterator[FakeStripe]:
    """On a local port."""
    fake = FakeStripe()
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    fake.url = f"http://{host}:{port}"
    yield fake
    # Connections that are kept open are not waited for.
    server.close()
