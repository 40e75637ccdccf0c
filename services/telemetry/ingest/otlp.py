"""OTLP/HTTP (opentelemetry.io/docs/specs/otlp): its requests as batches, and its answers.

A data point becomes a metric whose instance is made of its attributes, `device=sda,state=idle`, the service's name
among them; of a histogram there are its count, sum, minimum and maximum. A data point is taken with all its figures or
not at all. Positions count data points and log records in the order of the request.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

import msgspec
import orjson
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from kit.errors import FieldError, Invalid, Malformed
from services.telemetry.ingest.events import Batch, Event, Log, Metric
from services.telemetry.ingest.json_batches import MOST_EVENTS, sentence

PROTOBUF = "application/x-protobuf"
# Of a histogram's data point there are up to four; a summary's may have any number.
MOST_FIGURES = 4 * MOST_EVENTS
# opentelemetry.proto.metrics.v1.DataPointFlags
_NO_RECORDED_VALUE = 1
# Of a log record's severity numbers (1 to 24), four each.
_SEVERITIES = ("debug", "debug", "info", "warn", "error", "fatal")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_metrics(data: bytes, content_type: str) -> Batch:
    """Raises Malformed for what is no request, Invalid for more data points than a batch may have events."""
    request: Any = _parse(ExportMetricsServiceRequest, data, content_type)
    batch, count = Batch([]), 0
    for index, (name, service, point) in enumerate(_points(request)):
        if point.flags & _NO_RECORDED_VALUE:
            continue
        count += 1
        _check_count(count)
        try:
            left = MOST_FIGURES - len(batch.events)
            events = [_checked(event) for event in _metrics(name, service, point, left)]
        except _Unfit as error:
            batch.reject(index, str(error))
        else:
            for event in events:
                batch.take(index, event)
    return batch


def read_logs(data: bytes, content_type: str) -> Batch:
    """Raises Malformed for what is no request, Invalid for more log records than a batch may have events."""
    request: Any = _parse(ExportLogsServiceRequest, data, content_type)
    batch = Batch([])
    for index, (source, record) in enumerate(_records(request)):
        _check_count(index + 1)
        try:
            batch.take(index, _checked(_log(source, record)))
        except _Unfit as error:
            batch.reject(index, str(error))
    return batch


def metrics_answer(rejected: int, reason: str) -> Message:
    """What an exporter is told; a partial success is not sent again."""
    if not rejected:
        return ExportMetricsServiceResponse()
    partial = ExportMetricsPartialSuccess(rejected_data_points=rejected, error_message=reason)
    return ExportMetricsServiceResponse(partial_success=partial)


def logs_answer(rejected: int, reason: str) -> Message:
    """What an exporter is told; a partial success is not sent again."""
    if not rejected:
        return ExportLogsServiceResponse()
    partial = ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=reason)
    return ExportLogsServiceResponse(partial_success=partial)


def written(answer: Message, content_type: str) -> bytes:
    """An answer in the format of its request."""
    if content_type == PROTOBUF:
        return answer.SerializeToString()
    return json_format.MessageToJson(answer, indent=None).encode()


class _Unfit(Exception):
    """A data point or log record that cannot be taken; says why."""


def _parse(message_class: type[Message], data: bytes, content_type: str) -> Message:
    try:
        if content_type == PROTOBUF:
            return message_class.FromString(data)
        return json_format.Parse(data, message_class(), ignore_unknown_fields=True)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"The body is not an {message_class.__name__}.", code="body-not-otlp") from error


def _check_count(count: int) -> None:
    if count > MOST_EVENTS:
        raise Invalid.fields(FieldError("body", f"must have at most {MOST_EVENTS} items"))


def _checked(event: Event) -> Event:
    """The event, if its limits allow it."""
    try:
        # By its own class: that of all events would be looked at anew each time.
        msgspec.convert(msgspec.to_builtins(event, builtin_types=(datetime,)), type(event))
    except msgspec.ValidationError as error:
        raise _Unfit(sentence(str(error))) from error
    return event


def _points(request: Any) -> Iterator[tuple[str, str, Any]]:
    for of_resource in request.resource_metrics:
        service = _service(of_resource.resource)
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                kind = metric.WhichOneof("data")
                for point in getattr(metric, kind).data_points if kind else ():
                    yield metric.name, service, point


def _metrics(name: str, service: str, point: Any, most: int) -> Iterator[Metric]:
    values = _values(point)
    if len(values) > most:
        raise _Unfit(f"with it the batch would have more than {MOST_FIGURES} figures")
    at = _instant(point.time_unix_nano)
    labels = [f"service={service}"] if service else []
    labels += sorted(f"{each.key}={_text(each.value)}" for each in point.attributes)
    for suffix, label, value in values:
        if not isfinite(value):
            raise _Unfit("value: must be a finite number")
        instance = ",".join([*labels, label] if label else labels)
        yield Metric(observed_at=at, name=name + suffix, value=float(value), instance=instance or None)


def _values(point: Any) -> Sequence[tuple[str, str, float]]:
    """What there is in a data point: suffix of the name, further label, value."""
    fields = point.DESCRIPTOR.fields_by_name
    if "as_double" in fields:
        return [("", "", getattr(point, point.WhichOneof("value") or "as_double"))]
    found = [(".count", "", point.count)]
    found += [
        (f".{each}", "", getattr(point, each))
        for each in ("sum", "min", "max")
        if each in fields and (not fields[each].has_presence or point.HasField(each))
    ]
    if "quantile_values" in fields:
        found += [("", f"quantile={each.quantile:g}", each.value) for each in point.quantile_values]
    return found


def _records(request: Any) -> Iterator[tuple[str, Any]]:
    for of_resource in request.resource_logs:
        service = _service(of_resource.resource)
        for of_scope in of_resource.scope_logs:
            for record in of_scope.log_records:
                yield service or of_scope.scope.name or "otlp", record


def _log(source: str, record: Any) -> Log:
    number = min(max(record.severity_number or 9, 1), 24)
    return Log(
        observed_at=_instant(record.time_unix_nano or record.observed_time_unix_nano),
        source=source,
        message=_text(record.body),
        severity=_SEVERITIES[(number - 1) // 4],  # type: ignore[arg-type] # one of them
        attributes={each.key: _text(each.value) for each in record.attributes} or None,
    )


def _service(resource: Any) -> str:
    return next((_text(each.value) for each in resource.attributes if each.key == "service.name"), "")


def _instant(nanoseconds: int) -> datetime:
    if not nanoseconds:
        raise _Unfit("has no time")
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError as error:
        raise _Unfit("its time is out of range") from error


def _text(value: Any) -> str:
    """An AnyValue as text: what is no string as JSON."""
    kind = value.WhichOneof("value")
    if kind is None:
        return ""
    return str(value.string_value) if kind == "string_value" else _json(_plain(value))


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {each.key: _plain(each.value) for each in value.kvlist_value.values}
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, kind) if kind else None


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except (TypeError, RecursionError) as error:
        raise _Unfit("a value in it cannot be written as text") from error
