"""What the platform counts and measures, for OpenTelemetry's metrics: every instrument stands here.

Names follow OpenTelemetry's semantic conventions where there is one; durations are in seconds. Attributes are bounded:
rpcs, routes, topics, states, never ids, never workspaces. Without an OTLP endpoint nothing is measured.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeAlias

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

Attributes: TypeAlias = Mapping[str, str | int]
Measured = Iterable[tuple[float, Attributes]]
Source = Callable[[], Measured]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

EXPORT_SECONDS = 15.0
"""How often what was measured is sent, and how often what only the database knows is asked for."""

_meter = metrics.get_meter("opsfield")
_enabled = False


def _histogram(name: str, description: str) -> metrics.Histogram:
    return _meter.create_histogram(
        name, unit="s", description=description, explicit_bucket_boundaries_advisory=list(SECONDS)
    )


@dataclass
class Gauge:
    """What is at present, told by whoever knows it when it is asked for."""

    name: str
    unit: str
    description: str
    sources: list[Source] = field(default_factory=list)

    def __post_init__(self) -> None:
        _meter.create_observable_gauge(self.name, [self._observe], unit=self.unit, description=self.description)

    @contextmanager
    def told_by(self, source: Source) -> Iterator[None]:
        """`source` is asked until the block ends."""
        self.sources.append(source)
        try:
            yield
        finally:
            self.sources.remove(source)

    def _observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(value, attributes) for source in list(self.sources) for value, attributes in source()]


# The gateway. Of a request that has no route `http.route` is empty.
HTTP_DURATION = _histogram("http.server.request.duration", "How long requests took.")
HTTP_ACTIVE = _meter.create_up_down_counter(
    "http.server.active_requests", unit="{request}", description="Requests being answered."
)

# Services. `rpc.response.status_code`: gRPC's word for how it ended.
RPC_DURATION = _histogram("rpc.server.call.duration", "How long calls took.")
RPC_ACTIVE = _meter.create_up_down_counter(
    "rpc.server.active_requests", unit="{request}", description="Calls being answered."
)

# Events on their way out.
OUTBOX_EVENTS = Gauge("messaging.outbox.events", "{event}", "Events in the outbox that are not in Kafka, by state.")
OUTBOX_AGE = Gauge("messaging.outbox.age", "s", "Age of the oldest event that waits in the outbox.")
SENT = _meter.create_counter(
    "messaging.client.sent.messages", unit="{message}", description="Events that Kafka has taken."
)

# Events on their way in. A parked one is in its topic's `.dlq`.
CONSUMED = _meter.create_counter(
    "messaging.client.consumed.messages", unit="{message}", description="Events that took effect, or were known."
)
PARKED = _meter.create_counter(
    "messaging.consumer.parked", unit="{message}", description="Events that could not be handled and were put aside."
)
PROCESS_DURATION = _histogram("messaging.process.duration", "How long events took to take effect.")
LAG = Gauge("messaging.consumer.lag", "{message}", "Events of a topic that a consumer group has not come to yet.")

# The database pool.
CONNECTIONS = Gauge("db.client.connection.count", "{connection}", "Connections of the pool, idle and used.")
CONNECTIONS_MOST = Gauge("db.client.connection.max", "{connection}", "How many connections the pool may have.")
CONNECTIONS_PENDING = Gauge(
    "db.client.connection.pending_requests", "{request}", "Who waits for a connection, since none is idle."
)
CONNECTION_TIMEOUTS = _meter.create_counter(
    "db.client.connection.timeouts", unit="{timeout}", description="Who waited for a connection for too long."
)

# Work that waits, and what became of it.
JOBS = Gauge("opsfield.jobs", "{job}", "Jobs that are not done, by state.")
JOBS_AGE = Gauge("opsfield.jobs.age", "s", "Age of the job that has waited longest.")
EXECUTIONS = _meter.create_counter(
    "opsfield.executions", unit="{execution}", description="Executions that came to a state, by that state."
)
TELEMETRY_EVENTS = _meter.create_counter(
    "opsfield.telemetry.events", unit="{event}", description="Events of endpoint agents, accepted and rejected."
)


# The process itself: one that is gone tells nothing.
UPTIME = Gauge("process.uptime", "s", "How long the process has been measured.")


def begin() -> None:
    """Measure from now on: OpenTelemetry has been told for whom."""
    global _enabled  # noqa: PLW0603 - one per process, as OpenTelemetry has it
    _enabled = True
    began = perf_counter()
    UPTIME.sources[:] = [lambda: [(perf_counter() - began, {})]]


def enabled() -> bool:
    """Whether anything is measured."""
    return _enabled


@contextmanager
def timed(
    active: metrics.UpDownCounter, duration: metrics.Histogram, of: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    """Count what is at work and how long it took; the block adds to the attributes what it learns of them."""
    if not _enabled:
        yield {}
        return
    attributes = dict(of)
    began = perf_counter()
    active.add(1, of)
    try:
        yield attributes
    finally:
        active.add(-1, of)
        duration.record(perf_counter() - began, attributes)
