"""One OpenTelemetry trace from the gateway through a service, its database and Kafka to the consumer.

Without an OTLP endpoint nothing is recorded, but the W3C `traceparent` that a caller sent still travels along.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import SpanKind

_provider: TracerProvider | None = None


def configure(service: str, *, endpoint: str | None, sample_ratio: float) -> None:
    """`endpoint`: an OTLP/gRPC URL such as http://127.0.0.1:4317, or None for no tracing. `sample_ratio`: share of
    traces begun here that are recorded; a caller's decision is followed."""
    global _provider  # noqa: PLW0603 - one per process, as OpenTelemetry has it
    if endpoint is None:
        return
    # What is not used takes no time to start and no memory.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    _provider = TracerProvider(
        resource=Resource.create({"service.name": f"opsfield-{service}"}),
        sampler=ParentBasedTraceIdRatio(sample_ratio),
    )
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(_provider)


def shutdown() -> None:
    """Send what is still held back."""
    if _provider:
        _provider.shutdown()


@contextmanager
def span(name: str, *, kind: SpanKind = SpanKind.INTERNAL, traceparent: str | None = None) -> Iterator[str | None]:
    """Record a span; its parent is `traceparent` (W3C Trace Context) or the current span. Yields the traceparent to
    hand on: this span's own, or the one that came in when nothing is recorded."""
    if _provider is None:
        yield traceparent
        return
    parent = propagate.extract({"traceparent": traceparent}) if traceparent else None
    with trace.get_tracer("opsfield").start_as_current_span(name, context=parent, kind=kind):
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        yield carrier.get("traceparent", traceparent)
