"""OTLP requests as batches."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
    Summary,
    SummaryDataPoint,
)

from kit.errors import Invalid, Malformed
from services.telemetry.ingest import otlp
from services.telemetry.ingest.events import Batch
from services.telemetry.ingest.json_batches import MOST_EVENTS

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
NANOS = int(AT.timestamp()) * 10**9
TYPES = ("application/x-protobuf", "application/json")


def text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def taken(batch: Batch) -> list[Any]:
    return list(batch.events)


def metrics(*found: Metric, service: str = "") -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    if service:
        of_resource.resource.attributes.append(text("service.name", service))
    of_resource.scope_metrics.add().metrics.extend(found)
    return request


def point(value: float = 1.0, at: int = NANOS, *attributes: KeyValue, **fields: Any) -> NumberDataPoint:
    return NumberDataPoint(time_unix_nano=at, as_double=value, attributes=attributes, **fields)


def gauge(*points: NumberDataPoint, name: str = "disk.io") -> Metric:
    return Metric(name=name, gauge=Gauge(data_points=points))


def written(request: Message, content_type: str = TYPES[0]) -> bytes:
    if content_type == TYPES[0]:
        return request.SerializeToString()
    return json_format.MessageToJson(request).encode()


@pytest.mark.parametrize("content_type", TYPES)
def test_data_points_become_metrics(content_type: str) -> None:
    request = metrics(
        gauge(point(1.5, NANOS, text("state", "idle"), text("device", "sda"))),
        Metric(name="requests", sum=Sum(data_points=[NumberDataPoint(time_unix_nano=NANOS, as_int=7)])),
        service="shop",
    )
    batch = otlp.read_metrics(written(request, content_type), content_type)
    assert [(each.name, each.instance, each.value, each.observed_at) for each in taken(batch)] == [
        ("disk.io", "service=shop,device=sda,state=idle", 1.5, AT),
        ("requests", "service=shop", 7.0, AT),
    ]
    assert batch.rejections == []


def test_of_histograms_and_summaries_the_figures_are_kept() -> None:
    histogram = HistogramDataPoint(time_unix_nano=NANOS, count=4, sum=10.0, max=6.0)
    summary = SummaryDataPoint(time_unix_nano=NANOS, count=2, sum=3.0)
    summary.quantile_values.add(quantile=0.5, value=1.25)
    request = metrics(
        Metric(name="h", histogram=Histogram(data_points=[histogram])),
        Metric(name="s", summary=Summary(data_points=[summary])),
    )
    batch = otlp.read_metrics(written(request), TYPES[0])
    assert [(each.name, each.instance, each.value) for each in taken(batch)] == [
        ("h.count", None, 4),
        ("h.sum", None, 10),
        ("h.max", None, 6),
        ("s.count", None, 2),
        ("s.sum", None, 3),
        ("s", "quantile=0.5", 1.25),
    ]


def test_points_that_cannot_be_are_rejected_and_the_rest_is_kept() -> None:
    request = metrics(
        gauge(point(), point(math.nan), point(math.inf), point(at=0), point(at=2**63 - 1)),
        gauge(point(), name="no spaces"),
        gauge(point(1.0, NANOS, text("k", "v" * 600))),
        gauge(point(flags=1)),
        gauge(point(2.0)),
    )
    batch = otlp.read_metrics(written(request), TYPES[0])
    assert [each.value for each in taken(batch)] == [1.0, 1.0, 2.0]
    assert [each.position for each in batch.rejections] == [1, 2, 3, 5, 6]
    assert [batch.index(place) for place in (0, 2)] == [0, 8]


@pytest.mark.parametrize("content_type", TYPES)
def test_log_records_become_logs(content_type: str) -> None:
    request = ExportLogsServiceRequest()
    of_resource = request.resource_logs.add()
    of_resource.resource.attributes.append(text("service.name", "shop"))
    structured = AnyValue(
        kvlist_value=KeyValueList(
            values=[
                KeyValue(key="n", value=AnyValue(int_value=2)),
                KeyValue(key="list", value=AnyValue(array_value=ArrayValue(values=[AnyValue(bool_value=True)]))),
            ]
        )
    )
    of_resource.scope_logs.add().log_records.extend(
        [
            LogRecord(
                time_unix_nano=NANOS,
                severity_number=SeverityNumber.SEVERITY_NUMBER_ERROR,
                body=AnyValue(string_value="boom"),
                attributes=[text("code", "7")],
            ),
            LogRecord(observed_time_unix_nano=NANOS, body=structured),
            LogRecord(body=AnyValue(string_value="no time")),
            LogRecord(time_unix_nano=NANOS, body=AnyValue(string_value="x" * 10_001)),
        ]
    )
    batch = otlp.read_logs(written(request, content_type), content_type)
    assert [(each.source, each.severity, each.message, each.attributes) for each in taken(batch)] == [
        ("shop", "error", "boom", {"code": "7"}),
        ("shop", "info", '{"n":2,"list":[true]}', None),
    ]
    assert [each.position for each in batch.rejections] == [2, 3]


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"{", b"[1]", b'{"resourceMetrics": 5}'])
def test_what_is_no_request_is_malformed(data: bytes, content_type: str) -> None:
    with pytest.raises(Malformed):
        otlp.read_metrics(data, content_type)


def test_a_request_has_at_most_so_many_points() -> None:
    assert len(otlp.read_metrics(written(metrics(gauge(*[point()] * MOST_EVENTS))), TYPES[0]).events) == MOST_EVENTS
    with pytest.raises(Invalid):
        otlp.read_metrics(written(metrics(gauge(*[point()] * (MOST_EVENTS + 1)))), TYPES[0])


def histograms(count: int) -> Metric:
    each = HistogramDataPoint(time_unix_nano=NANOS, count=4, sum=10.0, min=1.0, max=6.0)
    return Metric(name="h", histogram=Histogram(data_points=[each] * count))


def test_a_request_may_have_as_many_histograms_as_other_points() -> None:
    batch = otlp.read_metrics(written(metrics(histograms(MOST_EVENTS))), TYPES[0])
    assert (len(batch.events), batch.rejections) == (4 * MOST_EVENTS, [])
    with pytest.raises(Invalid):
        otlp.read_metrics(written(metrics(histograms(MOST_EVENTS + 1))), TYPES[0])


def test_points_with_more_figures_than_there_is_room_for_are_rejected_and_the_rest_is_kept() -> None:
    large = SummaryDataPoint(time_unix_nano=NANOS)
    for place in range(otlp.MOST_FIGURES - 2):
        large.quantile_values.add(quantile=place, value=1.0)
    summary = Metric(name="s", summary=Summary(data_points=[large]))
    # With its count and sum it has as many as there may be.
    alone = otlp.read_metrics(written(metrics(summary)), TYPES[0])
    assert (len(alone.events), alone.rejections) == (otlp.MOST_FIGURES, [])
    batch = otlp.read_metrics(written(metrics(gauge(point()), summary, gauge(point(2.0)))), TYPES[0])
    assert [each.value for each in taken(batch)] == [1.0, 2.0]
    [rejection] = batch.rejections
    assert (rejection.position, "figures" in rejection.message) == (1, True)


def test_points_without_a_value_do_not_count() -> None:
    request = metrics(gauge(*[point(flags=1)] * MOST_EVENTS, point(2.0)))
    batch = otlp.read_metrics(written(request), TYPES[0])
    assert [each.value for each in taken(batch)] == [2.0]


def test_an_exporter_is_told_how_many_were_rejected_in_the_format_it_asked_in() -> None:
    answer = ExportMetricsServiceResponse.FromString(otlp.written(otlp.metrics_answer(3, "1: no"), TYPES[0]))
    assert (answer.partial_success.rejected_data_points, answer.partial_success.error_message) == (3, "1: no")
    said = otlp.written(otlp.logs_answer(2, "0: no"), TYPES[1])
    assert json_format.Parse(said, ExportLogsServiceResponse()).partial_success.rejected_log_records == 2
    assert not ExportMetricsServiceResponse.FromString(otlp.written(otlp.metrics_answer(0, ""), TYPES[0])).HasField(
        "partial_success"
    )
