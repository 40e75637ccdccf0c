"""The summary: right, of the caller's workspace, and read from its indexes."""

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from kit.call import Call
from kit.database import Database, Session
from kit.identity import Principal
from opsfield.workflow.v1.executions_pb2 import Execution, Executions, GetExecutionSummaryRequest
from services.workflow.summary.handlers import SummaryHandlers
from services.workflow.tests.caller import Caller
from tests.callers import refused

ARTIFACT = "INSERT INTO artifacts VALUES ($1, 'r', 'application/json', '{}', now())"
# Ended ones, a minute apart, back from now.
MANY = """
INSERT INTO executions (workspace_id, id, agent, reasoner, status, input_ref, failure_code, attempt, tries, retry_count,
    deadline_seconds, deadline_at, queued_at, proposals, apply_tries, causation_depth, created_at, updated_at,
    created_by, version, search)
SELECT $1, gen_random_uuid(), $2, 'r', $3::text::execution_status, 'r', $4::text::execution_failure_code, 1, 0, 0, 60,
    now(), now() - n * interval '1 min', '[]', 0, 0, now() - n * interval '1 min', now(), 'a', 1, ''
FROM generate_series(1, $5::int) AS n
"""
SCAN = re.compile(r"(?:Index Only|Index|Seq|Bitmap \w+) Scan.*?(?= on |$)")


async def fill(admin: Any, workspace: str, *groups: tuple[str, str, str | None, int]) -> None:
    """`groups`: agent, status, failure code, how many."""
    await admin.execute(ARTIFACT, workspace)
    for group in groups:
        await admin.execute(MANY, workspace, *group)


async def test_what_there_is(workflow: Caller, workspace: str, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    await fill(
        admin,
        workspace,
        ("triage", "succeeded", None, 6),
        ("triage", "failed", "reasoner_error", 1),
        ("triage", "failed", "proposal_rejected", 2),
        ("billing", "timed_out", "deadline_exceeded", 1),
        ("billing", "cancelled", "cancelled_by_caller", 3),
        ("billing", "approval_required", None, 4),
        ("billing", "queued", None, 5),
    )
    found: Executions = (await workflow.call("GetExecutionSummary", GetExecutionSummaryRequest())).executions
    assert {Execution.Status.Name(each.status): each.count for each in found.by_status} == {
        "QUEUED": 5,
        "RUNNING": 0,
        "APPROVAL_REQUIRED": 4,
        "SUCCEEDED": 6,
        "FAILED": 3,
        "CANCELLED": 3,
        "TIMED_OUT": 1,
    }
    assert [(each.agent, each.succeeded, each.failed, each.others) for each in found.by_agent] == [
        ("triage", 6, 3, 0),
        ("billing", 0, 0, 4),
    ]
    assert found.success_rate == 6 / 8
    assert 300 <= found.oldest_queued_seconds < 330
    assert found.decisions_waiting == 4


async def test_where_there_is_nothing(workflow: Caller) -> None:
    found: Executions = (await workflow.call("GetExecutionSummary", GetExecutionSummaryRequest())).executions
    assert [each.count for each in found.by_status] == [0] * 7
    assert not found.by_agent
    assert not found.HasField("success_rate")
    assert not found.HasField("oldest_queued_seconds")


async def test_the_range_is_kept(workflow: Caller, workspace: str, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    await fill(admin, workspace, ("triage", "succeeded", None, 10))
    request = GetExecutionSummaryRequest()
    request.range_from.FromDatetime(datetime.now(UTC) - timedelta(minutes=3, seconds=30))
    found = (await workflow.call("GetExecutionSummary", request)).executions
    assert sum(each.count for each in found.by_status) == 3
    request.range_to.FromDatetime(datetime.now(UTC) - timedelta(days=1))
    async with refused(422, paths=["from"]):
        await workflow.call("GetExecutionSummary", request)


class ExplainingSession(Session):
    """Notes how tables are read."""

    def __init__(self, session: Session) -> None:
        super().__init__(session._connection, session.call)
        self.scans: list[str] = []

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        await self._explain(query, arguments)
        return await super().fetch(query, *arguments)

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        await self._explain(query, arguments)
        return await super().fetchval(query, *arguments)

    async def _explain(self, query: str, arguments: Sequence[Any]) -> None:
        lines = [row[0] for row in await super().fetch(f"EXPLAIN (COSTS OFF) {query}", *arguments)]
        self.scans += [scan[0] for line in lines if (scan := SCAN.search(line))]


async def test_each_statement_reads_its_index_alone(
    database: Database, workspace: str, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await fill(admin, f"w-{uuid.uuid4().hex}", ("triage", "succeeded", None, 5000))
    await fill(admin, workspace, ("triage", "succeeded", None, 5000))
    await admin.execute("VACUUM (ANALYZE) executions")
    async with database.read(Call("/Test", Principal("ada", workspace_id=workspace), "c-1")) as session:
        explaining = ExplainingSession(session)
        request = GetExecutionSummaryRequest()
        request.range_from.FromDatetime(datetime.now(UTC) - timedelta(hours=1))
        await SummaryHandlers().get_execution_summary(request, explaining)
    assert explaining.scans == [
        "Index Only Scan using executions_created",
        "Index Only Scan using executions_queued",
        "Index Only Scan using executions_deciding",
    ]
