"""What a process records of itself, traces and measurements, and for whom."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def recorded(service: str, *, endpoint: str | None, sample_ratio: float) -> Iterator[None]:
    """Record until the block ends, and send then what is still held back. `endpoint`: an OTLP/gRPC URL such as
    http://127.0.0.1:4317, or None to record nothing. `sample_ratio`: share of traces begun here that are recorded; a
    caller's decision is followed."""
    if endpoint is None:
        yield
        return
    # What is not used takes no time to start and no memory.
    from kit import otlp

    stops = otlp.start(f"opsfield-{service}", endpoint=endpoint, sample_ratio=sample_ratio)
    try:
        yield
    finally:
        for stop in stops:
            stop()
