"""What tests of summaries begin with.

Their rows are of a year to come, so that nothing that runs beside a test finds anything due.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from opsfield.ops.v1.summary_pb2 import DashboardSummary, GetDashboardSummaryRequest, GetOpsSummaryRequest, OpsSummary
from services.ops.tests.client import Ops

NOW = datetime(2100, 3, 10, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BILLING = frozenset({"billing"})


async def dashboard(ops: Ops, **asked: datetime) -> DashboardSummary:
    found: DashboardSummary = await ops.call("GetDashboardSummary", GetDashboardSummaryRequest(**asked))
    return found


async def workbench(ops: Ops, **asked: datetime) -> OpsSummary:
    found: OpsSummary = await ops.call("GetOpsSummary", GetOpsSummaryRequest(**asked))
    return found


def counts(listed: Iterable[Any], field: str) -> dict[Any, int]:
    return {getattr(each, field): each.count for each in listed}
