"""One OpenTelemetry trace from the gateway through a service, its database and Kafka to the consumer.

Without an OTLP endpoint nothing is recorded, but the W3C `traceparent` that a caller sent still travels along.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind

_enabled = False


def begin() -> None:
    """Record from now on: OpenTelemetry has been told for whom."""
    global _enabled  # noqa: PLW0603 - one per process, as OpenTelemetry has it
    _enabled = True


@contextmanager
def span(name: str, *, kind: SpanKind = SpanKind.INTERNAL, traceparent: str | None = None) -> Iterator[str | None]:
    """Record a span; its parent is `traceparent` (W3C Trace Context) or the current span. Yields the traceparent to
    hand on: this span's own, or the one that came in when nothing is recorded."""
    if not _enabled:
        yield traceparent
        return
    parent = propagate.extract({"traceparent": traceparent}) if traceparent else None
    with trace.get_tracer("opsfield").start_as_current_span(name, context=parent, kind=kind):
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        yield carrier.get("traceparent", traceparent)
