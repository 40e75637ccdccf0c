"""OpenTelemetry, as it is in place already, with a URL and a token alone: its own SDK and exporters."""

import gzip
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from tests.agents import Agent, Fleet, new_enrollment_token
from tests.platform import Api, Platform, assert_problem

SHOP = Resource.create({"service.name": "shop"})
PROTOBUF = "application/x-protobuf"


@pytest.fixture
def agent(fleet: Fleet, api: Api) -> Agent:
    return Agent(fleet, new_enrollment_token(api))


@pytest.fixture
def url(platform: Platform) -> str:
    return platform.stack.base_url


def bearer(agent: Agent) -> dict[str, str]:
    return {"authorization": f"Bearer {agent.bearer}"}


def series(api: Api, agent: Agent) -> dict[tuple[str, str], float]:
    found = api.get(f"/edge-agent/agents/{agent.id}/metrics").json()["series"]
    return {(each["name"], each["instance"]): each["latestValue"] for each in found}


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_sdks_metrics_arrive(url: str, api: Api, agent: Agent, compression: Compression) -> None:
    exporter = OTLPMetricExporter(f"{url}/v1/metrics", headers=bearer(agent), compression=compression)
    provider = MeterProvider([PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)], SHOP)
    meter = provider.get_meter("test")
    meter.create_counter("orders").add(3, {"region": "eu"})
    meter.create_histogram("latency").record(0.25)
    meter.create_observable_gauge("queue", [lambda _options: [Observation(7)]])
    assert provider.force_flush()
    provider.shutdown()
    found = series(api, agent)
    assert found["orders", "service=shop,region=eu"] == 3
    assert found["queue", "service=shop"] == 7
    assert (found["latency.count", "service=shop"], found["latency.sum", "service=shop"]) == (1, 0.25)
    assert {each["format"] for each in api.get("/events/ingest-batches").json()["data"]} == {"otlp_metrics"}


def test_the_sdks_logs_arrive(url: str, api: Api, agent: Agent) -> None:
    provider = LoggerProvider(SHOP)
    exporter = OTLPLogExporter(f"{url}/v1/logs", headers=bearer(agent), compression=Compression.Gzip)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("till")
    logger.emit(body="the till is on fire", severity_number=SeverityNumber.ERROR, attributes={"till": 4})
    provider.shutdown()
    [batch] = api.get("/events/ingest-batches").json()["data"]
    assert (batch["format"], batch["accepted"], batch["rejected"]) == ("otlp_logs", 1, 0)


def test_what_is_sent_again_changes_nothing(api: Api, agent: Agent) -> None:
    body = _points(5)
    first, again = _send(agent, body), _send(agent, body)
    assert first.content == again.content == b""
    assert again.headers["idempotency-replayed"] == "true"
    assert api.get("/events/ingest-batches").json()["page"]["total"] == 1
    assert _send(agent, _points(6)).status_code == 200
    assert api.get("/events/ingest-batches").json()["page"]["total"] == 2


def test_a_partial_success_says_how_many_were_rejected(agent: Agent) -> None:
    answer = _send(agent, _points(5, at=datetime.now(UTC) + timedelta(days=3650)))
    assert answer.headers["content-type"] == PROTOBUF
    told = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert told.rejected_data_points == 1
    assert "future" in told.error_message


def test_the_same_checks_hold(platform: Platform, api: Api, agent: Agent) -> None:
    whole = gzip.compress(_points(5))
    for body, headers, status in (
        (b"\xff\xff", {}, 400),
        (whole[:10], {"content-encoding": "gzip"}, 400),
        (gzip.compress(bytes(9 * 2**20)), {"content-encoding": "gzip"}, 413),
        (whole, {"content-encoding": "br"}, 415),
        (_points(5), {"content-type": "text/plain"}, 415),
        (b"{}", {"content-type": "application/json"}, 200),
        (b"[", {"content-type": "application/json"}, 400),
    ):
        assert _send(agent, body, **headers).status_code == status, (body[:10], headers)
    assert agent.http.post("/v1/metrics", content=_points(5)).status_code == 401
    assert_problem(agent.http.post("/v1/traces", headers=bearer(agent)), 404, "route-not-found")
    with platform.api(workspace=api.workspace) as staff:
        answer = staff.post("../../v1/metrics", content=_points(5), headers={"content-type": PROTOBUF})
        assert_problem(answer, 403, "role-missing")
    # Whoever names a workspace names the token's own.
    with platform.api() as elsewhere:
        answer = _send(agent, _points(5), **{"x-workspace-id": elsewhere.workspace})
        assert_problem(answer, 403, "workspace-not-allowed")
    assert _send(agent, _points(9), **{"x-workspace-id": api.workspace}).status_code == 200
    api.post(f"/edge-agent/agents/{agent.id}/revoke", json={})
    assert_problem(_send(agent, _points(8)), 403, "agent-revoked")


def _points(value: int, at: datetime | None = None) -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="queue")
    nanoseconds = int((at or datetime.now(UTC)).timestamp() * 1e9)
    metric.gauge.data_points.add(as_int=value, time_unix_nano=nanoseconds)
    return request.SerializeToString()


def _send(agent: Agent, body: bytes, **headers: str) -> Any:
    return agent.http.post("/v1/metrics", content=body, headers={"content-type": PROTOBUF, **bearer(agent), **headers})
