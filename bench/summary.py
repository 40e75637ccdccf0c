"""What the two summaries of ops cost in a workspace with three years behind it (bench/summary_data.py).

Measured is the handler with its transaction, on a connection of the service's own role: all but the way there. Beside
it stands the count of the workspace's tickets, in the same database.
"""

import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from bench.figures import Figure
from bench.options import Options
from bench.summary_data import WORKSPACE, fill
from devstack.stack import Stack
from kit.bootstrap import with_database
from kit.call import Call
from kit.database import Database, Session
from kit.identity import Principal
from opsfield.ops.v1.summary_pb2 import GetDashboardSummaryRequest, GetOpsSummaryRequest
from services.ops.summary.handlers import SummaryHandlers

_TIMES = 6
_COUNT = "SELECT count(*) FROM tickets WHERE workspace_id = $1 AND deleted_at IS NULL"
_CHANGE_RECENT = """
UPDATE tickets SET updated_at = now() WHERE workspace_id = $1 AND created_at > now() - interval '30 days'
"""

Summary = Callable[[Session], Awaitable[Any]]


def _cases() -> dict[str, Summary]:
    handlers, year = SummaryHandlers(), datetime.now(UTC) - timedelta(days=365)
    dashboard, long_dashboard = GetDashboardSummaryRequest(), GetDashboardSummaryRequest(range_from=year)
    ops = GetOpsSummaryRequest()
    return {
        "dashboard, 30 days": lambda session: handlers.get_dashboard_summary(dashboard, session),
        "dashboard, 365 days": lambda session: handlers.get_dashboard_summary(long_dashboard, session),
        "ops, 30 days": lambda session: handlers.get_ops_summary(ops, session),
    }


async def _count(session: Session) -> None:
    await session.fetchval(_COUNT, WORKSPACE)


async def _milliseconds(database: Database, summary: Summary) -> float:
    """The mean of some, after one."""
    call = Call("/Bench", Principal("bench", frozenset({"msp_admin"}), WORKSPACE), "c-1")
    begun = 0.0
    for turn in range(_TIMES + 1):
        begun = time.perf_counter() if turn == 1 else begun
        async with database.read(call) as session:
            await summary(session)
    return (time.perf_counter() - begun) / _TIMES * 1000


async def _measure(database: Database, when: str, rounds: int) -> list[Figure]:
    cases = _cases()
    found: dict[str, list[float]] = {name: [] for name in cases}
    bare: list[float] = []
    for _ in range(rounds):
        bare.append(await _milliseconds(database, _count))
        for name, summary in cases.items():
            found[name].append(await _milliseconds(database, summary))
    return [
        Figure("summary", f"{name}{when}", "ms", times, "count of tickets", bare, less_is_better=True)
        for name, times in found.items()
    ]


async def figures(options: Options) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="opsfield-bench-") as folder:
        async with Stack(Path(folder), services=("ops", "platform"), gateway=False) as stack:
            # What it does when something falls due would change the rows.
            await stack.stop("ops")
            admin_url = with_database(stack.admin_url, "ops")
            await fill(admin_url, options.report)
            database = await Database.connect(stack.database_url("ops"), size=1)
            try:
                vacuumed = await _measure(database, "", options.rounds)
                connection = await asyncpg.connect(admin_url)
                await connection.execute(_CHANGE_RECENT, WORKSPACE)
                await connection.close()
                return vacuumed + await _measure(database, ", a month just changed", options.rounds)
            finally:
                await database.close()
