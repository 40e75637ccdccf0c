"""A canary: a secret with an unmistakable value is set, used, sent wrongly in every way; then everything that the
platform writes is searched for it. Each place is searched for something that must be there too, so that a search that
looks at nothing fails."""

import base64
import json
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from devstack.layout import SERVICES
from kit.errors import Forbidden
from tests.e2e.test_ticket_story import read_events
from tests.platform import Platform, eventually, new_key
from tests.service_identity import secret_value

CANARY = "cAnArY-8f3b1d6e2a-Zwölf"
FORMS = {
    "plain": CANARY.encode(),
    "as JSON": json.dumps(CANARY)[1:-1].encode(),
    "base64": base64.b64encode(CANARY.encode()).rstrip(b"="),
    "hexadecimal": CANARY.encode().hex().encode(),
    "in part": b"8f3b1d6e2a",
}
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Collector:
    """An OpenTelemetry collector that keeps what it is sent, as it came."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self._lock = threading.Lock()

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(self._export) if details.method == EXPORT else None

    def _export(self, data: bytes, _context: grpc.ServicerContext) -> bytes:
        with self._lock:
            self.received.append(data)
        return b""


@contextmanager
def collector() -> Iterator[tuple[Collector, str]]:
    kept = Collector()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((kept,))  # type: ignore[arg-type]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield kept, f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.mark.parametrize("logs", ["json", "console"])
def test_a_secret_is_found_nowhere(tmp_path: Path, logs: str) -> None:
    with collector() as (traces, endpoint):
        variables = {"LOG_LEVEL": "debug", "LOG_FORMAT": logs, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        programs = dict.fromkeys((*SERVICES, "gateway"), variables)
        programs["gateway"] = {**variables, "RATE_LIMIT_PER_MINUTE": "0"}
        with Platform(tmp_path, services=("platform", "integrations"), extra_env=programs) as platform:
            answers = set_and_use(platform)
            events = eventually(
                lambda: read_events(platform, "internal.secrets.changed", key="_platform/github.webhook")
            )
    written = {
        "answers": (b"github.webhook", answers),
        "events": (b"github.webhook", [json.dumps(events).encode()]),
        "traces": (b"/api/v1/platform/secrets/{key}", traces.received),
        "logs": (b"SetPlatformSecret", contents_of(tmp_path / "logs")),
        # Tables, indexes, write-ahead log, all of it: the server was stopped in order before.
        "database": (b"github.webhook", contents_of(tmp_path / "postgres")),
    }
    for place, (control, contents) in written.items():
        assert any(control in each for each in contents), f"the search does not look at the {place}"
        for form, needle in FORMS.items():
            assert not any(needle in each for each in contents), f"the canary is in the {place}, {form}"


def contents_of(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def set_and_use(platform: Platform) -> list[bytes]:
    """All that was answered."""
    answers: list[Any] = []
    with platform.api(("platform_admin", "integration_admin", "ops_engineer")) as api:
        for path in ("/platform/secrets/github.webhook", "/workspace/secrets/accounting.xero"):
            key = new_key()
            answers += [
                api.post(path, json={"value": CANARY}, key=key),
                api.post(path, json={"value": CANARY}, key=key),
                api.post(path, json={"value": CANARY + "2"}, key=key),
                api.post(path, json={"value": [CANARY]}),
                api.post(path, json={"value": CANARY * 2000}),
                api.post(path, json={"value": CANARY + "\0"}),
                api.post(path, json={"value": CANARY, "version": CANARY}),
                api.post(path, content=f'{{"value": "{CANARY}'.encode(), headers={"content-type": "application/json"}),
                api.post(path, content=CANARY.encode(), headers={"content-type": "text/plain"}),
                api.post(path, json={"value": CANARY}, headers={"if-match": '"99"'}),
                api.post(path, json={"value": CANARY}, headers={"idempotency-key": ""}),
                api.put(path, json={"value": CANARY}),
                api.get(path.rpartition("/")[0]),
            ]
        answers.append(api.get("/events/outbox"))
        for workspace, name in (("_platform", "github.webhook"), (api.workspace, "accounting.xero")):
            assert secret_value(platform, "integrations", workspace, name) == CANARY
        with pytest.raises(Forbidden):
            secret_value(platform, "ops", api.workspace, "accounting.xero")
        # The platform service dies with the value in its hands, and again with an answer on its way.
        for point in ("after-effect", "before-answer"):
            platform.restart("platform", {**platform.stack.environment("platform"), "CRASH_AT": point})
            eventually(lambda: api.get("/platform/secrets").status_code == 200)
            answers.append(api.post("/platform/secrets/github.webhook", json={"value": CANARY}))
            assert platform.wait("platform") == 137
            platform.start("platform", platform.stack.environment("platform") | {"CRASH_AT": ""})
        eventually(lambda: api.post("/platform/secrets/github.webhook", json={"value": CANARY}).status_code == 201)
    statuses = [answer.status_code for answer in answers]
    assert {201, 400, 405, 412, 415, 422, 503} <= set(statuses), statuses
    return [answer.content + str(answer.headers).encode() for answer in answers]
