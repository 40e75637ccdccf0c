"""A platform as the protos say, as far as an agent sees it: a real HTTP server that can lose, delay and refuse."""

import base64
import gzip
import json
import ssl
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WORKSPACE = "acme"
TOKEN = f"{WORKSPACE}.right-token"

ENROLL = "/api/v1/edge-agent/enroll"
ISSUE = "/api/v1/edge-agent/token"
POLICY = "/api/v1/edge-agent/policy"
INGEST = "/api/v1/events/ingest"

POLICY_DOCUMENT = {
    "version": 1,
    "sendSeconds": 30,
    "metricsSeconds": 30,
    "inventorySeconds": 21600,
    "offlineAfterSeconds": 120,
    "offlineAlertSeconds": 60,
    "offlineAlerts": True,
    "collectors": ["cpu", "memory", "disk", "network", "host"],
    "thresholds": [],
    "checks": [],
}


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with a request: it is lost, or its answer is, or it is answered with a status."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    lose_request: bool = False
    lose_answer: bool = False
    body: bytes | None = None


@dataclass(frozen=True)
class Request:
    """One that arrived; `at` by the steady clock."""

    at: float
    route: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Received:
    """A batch that was taken, and how wrong its sender said its clock is."""

    key: str
    agent_id: str
    events: list[dict[str, Any]]
    sent_at: float
    at: float


class _Problem(Exception):
    def __init__(self, status: int, code: str, detail: str = "No.") -> None:
        super().__init__(detail)
        self.status, self.code = status, code


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """An agent that was killed or does not trust us is no error of the server's."""


class Platform:
    """Start it with `with`; the tests look into what it got and say what goes wrong."""

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        """`tls`: files of a certificate and its key."""
        self.lock = threading.Lock()
        self.requests: list[Request] = []
        self.trouble: Callable[[str], Trouble | None] = lambda route: None
        self.agents: dict[str, str] = {}  # by public key
        self.ended: set[str] = set()
        self.hardware: dict[str, str] = {}
        self.revoked = False
        self.policy: dict[str, Any] = dict(POLICY_DOCUMENT)
        self.policy_answers: list[int] = []
        self.batches: list[Received] = []
        self.arrivals: dict[str, int] = {}
        self.faults: list[str] = []
        self.clock_ahead = 0.0
        self.token_seconds = 3600.0
        self.reject = 0
        self._bodies: dict[str, bytes] = {}
        self._answers: dict[str, tuple[bytes, dict[str, Any]]] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._server = _Server(("127.0.0.1", 0), self._handler())
        scheme = "http"
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> "Platform":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def now(self) -> float:
        """The platform's time."""
        return time.time() + self.clock_ahead

    def routes(self) -> list[str]:
        """Of all requests so far."""
        with self.lock:
            return [each.route for each in self.requests]

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Of all batches so far, in order of arrival."""
        with self.lock:
            return [event for batch in self.batches for event in batch.events if kind is None or event["type"] == kind]

    def forget_tokens(self) -> None:
        """No token that was issued is valid any longer."""
        with self.lock:
            self._tokens.clear()

    def answer(self, route: str, query: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and document. Raises _Problem."""
        handlers = {ENROLL: self._enroll, ISSUE: self._issue, POLICY: self._get_policy, INGEST: self._ingest}
        if route not in handlers:
            raise _Problem(404, "not-found")
        return handlers[route](query, headers, body)

    def _enroll(self, query: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        self._no_extras(query, headers)
        key = self._key(headers)
        if key in self._answers:
            if self._answers[key][0] != body:
                raise _Problem(422, "idempotency-key-reused")
            return 201, self._answers[key][1]
        request = json.loads(body)
        allowed = {"token", "publicKey", "hostname", "hardwareId", "operatingSystem", "agentVersion"}
        if not request.keys() <= allowed or len(request["publicKey"]) != 43 or not request["hostname"]:
            raise _Problem(422, "validation-failed", "The input is not valid.")
        if not request["token"].endswith(".right-token"):
            raise _Problem(401, "unauthenticated", "The enrollment token is not valid.")
        agent_id = self.agents.setdefault(request["publicKey"], str(uuid.uuid4()))
        hardware = request.get("hardwareId")
        if hardware is not None and self.hardware.get(hardware, agent_id) != agent_id:
            self.ended.add(self.hardware[hardware])
        if hardware is not None:
            self.hardware[hardware] = agent_id
        answer = {
            "agentId": agent_id,
            "workspaceId": request["token"].partition(".")[0],
            "clientId": "6f0f0a52-0000-4000-8000-000000000001",
            "siteId": None,
            "enrolledAt": "2026-03-01T12:00:00.000Z",
        }
        self._answers[key] = (body, answer)
        return 201, answer

    def _issue(self, query: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        self._no_extras(query, headers)
        self._key(headers)
        request = json.loads(body)
        assert request.keys() <= {"assertion", "validMinutes"}
        _, _, jwt = request["assertion"].partition(".")
        agent_id = self._verified(jwt)
        if self.revoked or agent_id in self.ended:
            raise _Problem(401, "unauthenticated", "The agent is revoked.")
        token = f"secret-{uuid.uuid4()}"
        seconds = request["validMinutes"] * 60 if "validMinutes" in request else self.token_seconds
        self._tokens[token] = (agent_id, time.monotonic() + seconds)
        ends = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(self.now() + seconds))
        return 201, {"accessToken": token, "expiresAt": ends}

    def _verified(self, jwt: str) -> str:
        signed, _, signature = jwt.rpartition(".")
        header, claims = (json.loads(_unbase64(part)) for part in signed.split("."))
        if header != {"alg": "EdDSA", "typ": "JWT"}:
            raise _Problem(401, "unauthenticated", "Not a JWT of ours.")
        agent_id: str = claims["sub"]
        keys = [key for key, each in self.agents.items() if each == agent_id]
        now = self.now()
        right_time = claims["iat"] <= now + 60 and now - 60 <= claims["exp"] <= claims["iat"] + 300
        if not keys or claims["iss"] != agent_id or claims["aud"] != "opsfield" or not right_time or not claims["jti"]:
            raise _Problem(401, "unauthenticated", "The assertion is not valid.")
        try:
            Ed25519PublicKey.from_public_bytes(_unbase64(keys[0])).verify(_unbase64(signature), signed.encode())
        except InvalidSignature:
            raise _Problem(401, "unauthenticated", "The signature is not valid.") from None
        return agent_id

    def _get_policy(self, query: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        self._agent(headers)
        status = 304 if headers.get("if-none-match") == self.etag() else 200
        self.policy_answers.append(status)
        return status, self.policy

    def etag(self) -> str:
        """Of the policy."""
        return f'"{self.policy["version"]}"'

    def _ingest(self, query: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        agent_id = self._agent(headers)
        key = self._key(headers)
        if headers.get("content-type") != "application/json" or headers.get("content-encoding") != "gzip":
            raise _Problem(415, "unsupported-media-type")
        if self._bodies.setdefault(key, body) != body:
            self.faults.append(f"other bytes under key {key}")
            raise _Problem(422, "idempotency-key-reused")
        self.arrivals[key] = self.arrivals.get(key, 0) + 1
        events = json.loads(gzip.decompress(body))["events"]
        assert 0 < len(events) <= 10_000
        if self.arrivals[key] == 1:
            sent_at = _seconds(parse_qs(query)["sentAt"][0])
            self.batches.append(Received(key, agent_id, events, sent_at, self.now()))
        return 200, {
            "batchId": key,
            "accepted": len(events) - self.reject,
            "rejected": self.reject,
            "errors": [{"index": 0, "message": "value: must be a number"}] if self.reject else [],
            "policyVersion": self.policy["version"],
        }

    def _agent(self, headers: dict[str, str]) -> str:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        agent_id, ends_at = self._tokens.get(token, ("", 0.0))
        if time.monotonic() >= ends_at:
            raise _Problem(401, "unauthenticated", "The token is not valid.")
        if headers.get("x-workspace-id") != WORKSPACE:
            raise _Problem(403, "forbidden", "Not your workspace.")
        if self.revoked or agent_id in self.ended:
            raise _Problem(403, "agent-revoked", "The agent is revoked.")
        return agent_id

    def _key(self, headers: dict[str, str]) -> str:
        key = headers.get("idempotency-key", "")
        if not 1 <= len(key) <= 255:
            raise _Problem(400, "idempotency-key-missing")
        return key

    def _no_extras(self, query: str, headers: dict[str, str]) -> None:
        if query or "authorization" in headers:
            raise _Problem(400, "malformed-request")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60
            disable_nagle_algorithm = True

            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate(platform.now() if timestamp is None else timestamp, usegmt=True)

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                self._serve()

            def do_POST(self) -> None:
                self._serve()

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                with platform.lock:
                    platform.requests.append(Request(time.monotonic(), parts.path, headers, body))
                trouble = platform.trouble(parts.path) or Trouble()
                if trouble.lose_request:
                    self.close_connection = True
                    return
                if trouble.status is not None:
                    self._reply(trouble.status, _problem(trouble.status, "busy"), trouble.headers, trouble.body)
                    return
                more = {}
                with platform.lock:
                    try:
                        status, document = platform.answer(parts.path, parts.query, headers, body)
                        more = {"ETag": platform.etag()} if parts.path == POLICY else {}
                    except _Problem as problem:
                        status, document = problem.status, _problem(problem.status, problem.code, str(problem))
                    except Exception as error:
                        platform.faults.append(f"{parts.path}: {error!r}")
                        status, document = 500, _problem(500, "internal")
                if trouble.lose_answer:
                    self.close_connection = True
                    return
                self._reply(status, document, more, None)

            def _reply(
                self, status: int, document: dict[str, Any], headers: dict[str, str], other: bytes | None
            ) -> None:
                content = json.dumps(document).encode() if other is None else other
                kind = "application/problem+json" if status >= 400 else "application/json"
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if other is not None:
                    kind = "text/html"
                self.send_header("Content-Type", kind)
                if status == 304:
                    self.end_headers()
                    return
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Handler


def _problem(status: int, code: str, detail: str = "No.") -> dict[str, Any]:
    return {"type": f"/problems/{code}", "title": code, "status": status, "code": code, "detail": detail, "errors": []}


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
