"""What has been measured, for tests. The process measures from the first question on, for good: what tests compare is
the difference."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from kit import otlp


@cache
def reader() -> InMemoryMetricReader:
    reader = InMemoryMetricReader()
    otlp.measure_for(reader, "tests")
    return reader


def measured(name: str, **attributes: str) -> float:
    """The value of a metric, of a histogram its count: the sum over all that have these attributes (a name's dots are
    underscores here); -1 when nothing has been told."""
    data = reader().get_metrics_data()
    found = [
        point.value if isinstance(point, NumberDataPoint) else point.count
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
        if attributes.items() <= _underscored(point.attributes or {}).items()
    ]
    return sum(found) if found else -1.0


def _underscored(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace(".", "_"): value for key, value in attributes.items()}
