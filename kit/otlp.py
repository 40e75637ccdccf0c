"""Where traces and measurements go: to an OTLP endpoint, by OpenTelemetry's SDK. Imported only where there is one
(kit.observability)."""

import os
import socket
from collections.abc import Callable, Sequence

from opentelemetry import metrics as api
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

from kit import metrics, tracing


def start(service: str, *, endpoint: str, sample_ratio: float) -> Sequence[Callable[[], None]]:
    """As kit.observability; what is answered ends it."""
    exporter = OTLPMetricExporter(endpoint=endpoint)
    reader = PeriodicExportingMetricReader(exporter, metrics.EXPORT_SECONDS * 1000)
    return trace_to(OTLPSpanExporter(endpoint=endpoint), service, sample_ratio), measure_for(reader, service)


def trace_to(exporter: SpanExporter, service: str, sample_ratio: float) -> Callable[[], None]:
    """Trace from now on, until the answer is called."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": service}), sampler=ParentBasedTraceIdRatio(sample_ratio)
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    tracing.begin()
    return provider.shutdown


def measure_for(reader: MetricReader, service: str) -> Callable[[], None]:
    """Measure from now on, until the answer is called."""
    name = f"{socket.gethostname()}:{os.getpid()}"
    provider = MeterProvider([reader], Resource.create({"service.name": service, "service.instance.id": name}))
    api.set_meter_provider(provider)
    metrics.begin()
    return provider.shutdown
