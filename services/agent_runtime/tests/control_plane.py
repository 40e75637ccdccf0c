"""A stand-in for AgentField's control plane, over real HTTP on a thread of its own. It does what theirs does as far as
we use it, their defects too: it calls back early and never again, twice, or not at all; it forgets; it is full.

An agent's reasoner does what its input says: {"give": …} ends with that result at once; {"hold": true} runs until the
test ends it; {"fail": "…"} fails.
"""

import asyncio
import hmac
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
import uvicorn

Json = dict[str, Any]
Scope = MutableMapping[str, Any]
ANYTHING: Json = {"type": "object"}


def capability(agent: str, *reasoners: str, skills: tuple[str, ...] = (), **more: Any) -> Json:
    """An agent as their discovery tells it."""

    def described(name: str) -> Json:
        return {
            "id": name,
            "description": f"Does {name}.",
            "tags": [],
            "input_schema": ANYTHING,
            "output_schema": ANYTHING,
            "invocation_target": f"{agent}.{name}",
        }

    return {
        "agent_id": agent,
        "base_url": "http://127.0.0.1:1",
        "version": "1.2.3",
        "health_status": "active",
        "deployment_type": "long_running",
        "last_heartbeat": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "reasoners": [described(name) for name in reasoners],
        "skills": [described(name) for name in skills],
        **more,
    }


@dataclass
class ControlPlane:
    """Use it as a context manager. What tests set: `offered`, `full` (so many requests to execute are refused),
    `calls_back` (`rightly`, `early`, `twice`, `never`), `registers`, `lists_runs`, `hangs`, `hangs_after_execute`
    (done, but not answered yet), `loses_answers` (so many requests to execute are done, but never answered)."""

    offered: list[Json] = field(default_factory=lambda: [capability("remote", "work", "other", skills=("tool",))])
    api_key: str | None = None
    full: int = 0
    calls_back: str = "rightly"
    registers: bool = True
    lists_runs: bool = True
    loses_answers: int = 0
    hangs: bool = False
    hangs_after_execute: bool = False
    version: str = "1.0.0"
    executions: dict[str, Json] = field(default_factory=dict)
    # Every request to execute that was taken, as it came: headers and body.
    asked: list[tuple[dict[str, str], Json]] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    # How often each was asked about.
    looks: dict[str, int] = field(default_factory=dict)
    # What was answered to its webhooks.
    answers: list[httpx.Response] = field(default_factory=list)
    # Answers something of its own instead, if it returns one.
    instead: Callable[[str, str], tuple[int, Any] | None] = lambda method, path: None

    def __enter__(self) -> Self:
        self._port = 0
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Also after `stop`, at the same port."""
        listener = socket.create_server(("127.0.0.1", self._port), reuse_port=False)
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            proxy_headers=False,
            log_config=None,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()

    def end(self, their_id: str, status: str = "succeeded", **fields: Any) -> None:
        """An execution ends, and its webhook is due: not that of one that was cancelled or took too long."""
        execution = self.executions[their_id]
        execution |= {"status": status, "completed_at": "2026-11-24T10:15:02Z", "duration_ms": 1000, **fields}
        if status in ("succeeded", "failed"):
            self._call_back(their_id)

    # What it answers

    async def _app(
        self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        while self.hangs:
            await asyncio.sleep(0.02)
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        status, answer, extra = self._answer(scope["method"], scope["path"], headers, body)
        if self.loses_answers and scope["path"].startswith("/api/v1/execute/") and status == 202:
            self.loses_answers -= 1
            # The connection ends without an answer.
            raise ConnectionResetError
        while self.hangs_after_execute and scope["path"].startswith("/api/v1/execute/"):
            await asyncio.sleep(0.02)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        sent = [(b"content-type", b"application/json"), *extra]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": data})

    def _answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Any, list[tuple[bytes, bytes]]]:
        if (instead := self.instead(method, path)) is not None:
            return *instead, [(b"location", b"/elsewhere")]
        if path == "/health":
            return 200, {"status": "healthy", "version": self.version}, []
        if self.api_key and headers.get("x-api-key") != self.api_key:
            return 401, {"error": "unauthorized"}, []
        match path.removeprefix("/api/v1/").split("/"):
            case ["discovery", "capabilities"]:
                return 200, {"capabilities": self.offered, "pagination": {"has_more": False}}, []
            case ["execute", "async", target]:
                return self._execute(target, headers, json.loads(body))
            case ["executions", their_id] if their_id in self.executions:
                self.looks[their_id] = self.looks.get(their_id, 0) + 1
                return 200, _public(self.executions[their_id]), []
            case ["executions", their_id, "cancel"] if their_id in self.executions:
                return self._cancel(their_id)
            case ["agentic", "run", run_id] if self.lists_runs:
                found = [_public(each) for each in self.executions.values() if each["run_id"] == run_id]
                if found:
                    return 200, {"ok": True, "data": {"run_id": run_id, "executions": found}}, []
        return 404, {"error": "execution not found"}, []

    def _execute(self, target: str, headers: dict[str, str], body: Json) -> tuple[int, Any, list[tuple[bytes, bytes]]]:
        if self.full:
            self.full -= 1
            return 503, {"error": "queue is full", "error_category": "concurrency_limit"}, [(b"retry-after", b"0.2")]
        agent, _, name = target.partition(".")
        known = {
            each["id"] for one in self.offered if one["agent_id"] == agent for each in one["reasoners"] + one["skills"]
        }
        if name not in known:
            return 400, {"error": f"agent '{agent}' not found"}, []
        number = len(self.executions) + 1
        their_id, run_id = f"exec_20261124_101501_{number:08d}", headers.get("x-run-id", f"run_{number}")
        self.asked.append((headers, body))
        self.executions[their_id] = {
            "execution_id": their_id,
            "run_id": run_id,
            "status": "running",
            "started_at": "2026-11-24T10:15:01Z",
            "target": target,
            "webhook": body.get("webhook"),
            "delivered": False,
        }
        answer: Json = {
            "execution_id": their_id,
            "run_id": run_id,
            "status": "queued",
            "target": target,
            "type": "reasoner",
        }
        if "webhook" in body:
            answer["webhook_registered"] = self.registers
            if not self.registers:
                answer["webhook_error"] = "webhook host is not allowed"
                self.executions[their_id]["webhook"] = None
        self._go_on(their_id, body["input"])
        return 202, answer, []

    def _go_on(self, their_id: str, given: Json) -> None:
        if self.calls_back == "early":
            self._call_back(their_id)
        if "give" in given:
            self.end(their_id, result=given["give"])
        elif "fail" in given:
            self.end(their_id, "failed", error=given["fail"])

    def _cancel(self, their_id: str) -> tuple[int, Any, list[tuple[bytes, bytes]]]:
        self.cancels.append(their_id)
        before = self.executions[their_id]["status"]
        if before in ("succeeded", "failed", "cancelled", "timeout"):
            return 409, {"error": "invalid_state", "message": f"execution is {before}"}, []
        self.end(their_id, "cancelled")
        return 200, {"execution_id": their_id, "previous_status": before, "status": "cancelled"}, []

    # Its webhooks

    def _call_back(self, their_id: str) -> None:
        execution = self.executions[their_id]
        if execution["webhook"] is None or execution["delivered"] or self.calls_back == "never":
            return
        # Whatever is taken counts as the end for them, also when it has not come yet.
        execution["delivered"] = True
        succeeded = execution["status"] == "succeeded"
        payload = {
            "event": "execution.completed" if succeeded else "execution.failed",
            "execution_id": their_id,
            "workflow_id": execution["run_id"],
            "status": execution["status"],
            "target": execution["target"],
            "result": execution.get("result"),
            "retry_count": 0,
        }
        times = 2 if self.calls_back == "twice" else 1
        threading.Thread(target=self._deliver, args=(execution["webhook"], payload, times), daemon=True).start()

    def _deliver(self, webhook: Json, payload: Json, times: int) -> None:
        for number in range(times):
            body = json.dumps(payload | {"retry_count": number}).encode()
            headers = {"content-type": "application/json", **webhook.get("headers", {})}
            if secret := webhook.get("secret"):
                digest = hmac.new(secret.encode(), body, "sha256").hexdigest()
                headers["x-agentfield-signature"] = f"sha256={digest}"
            with suppress(httpx.HTTPError):
                self.answers.append(httpx.post(webhook["url"], content=body, headers=headers, timeout=20))


def _public(execution: Json) -> Json:
    return {name: value for name, value in execution.items() if name not in ("webhook", "delivered")}
