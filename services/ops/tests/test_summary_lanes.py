"""The lanes of incidents and changes in the ops summary, counted by hand from the rows that a test has made."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from kit.database import Database
from opsfield.ops.v1.changes_pb2 import ApproveChangeRequest, Change
from opsfield.ops.v1.incidents_pb2 import Incident
from opsfield.ops.v1.summary_pb2 import OpsSummary
from services.ops.tests.client import Ops
from services.ops.tests.past import OpsAt
from services.ops.tests.summaries import DAY, HOUR, MINUTE, NOW, counts, workbench


@pytest.fixture
def past(ops: Ops, database: Database) -> OpsAt:
    return OpsAt.like(ops, database).at(NOW)


async def test_incidents(past: OpsAt) -> None:
    async def declare(ago: timedelta, severity: Any, *moves: Any, **fields: Any) -> Incident:
        incident: Incident = await past.at(NOW - ago).create(Incident(title="Mail", severity=severity, **fields))
        for status in moves:
            incident = await past.patch(incident, status=status)
        return incident

    assert not (await workbench(past)).incidents.HasField("oldest")
    await declare(2 * DAY, Incident.SEV1, Incident.INVESTIGATING)
    oldest = await declare(DAY, Incident.SEV3, started_at=NOW - 5 * DAY)
    await declare(9 * DAY, Incident.SEV3, Incident.RESOLVED)
    await declare(8 * DAY, Incident.SEV1, Incident.RESOLVED, Incident.INVESTIGATING, Incident.RESOLVED)
    await past.delete(await declare(9 * DAY, Incident.SEV4))
    found = (await workbench(past)).incidents
    assert found.open == 2
    assert counts(found.open_by_status, "status") == {
        Incident.OPEN: 1, Incident.INVESTIGATING: 1, Incident.IDENTIFIED: 0, Incident.MONITORING: 0
    }  # fmt: skip
    assert counts(found.open_by_severity, "severity") == {
        Incident.SEV1: 1, Incident.SEV2: 0, Incident.SEV3: 1, Incident.SEV4: 0
    }  # fmt: skip
    assert found.oldest == OpsSummary.OldestIncident(
        id=oldest.id, number="INC-1002", title="Mail", severity=Incident.SEV3, status=Incident.OPEN,
        started_at=NOW - 5 * DAY,
    )  # fmt: skip


async def test_changes(past: OpsAt) -> None:
    submitted = (Change.SUBMITTED,)
    for moves in ((), submitted, (*submitted, Change.APPROVED), (*submitted, Change.REJECTED)):
        await change(past, DAY, NOW + DAY, *moves)
    scheduled = Change.SUBMITTED, Change.APPROVED, Change.SCHEDULED
    for start in (NOW - HOUR, NOW, NOW + 7 * DAY - MINUTE, NOW + 7 * DAY):
        await change(past, DAY, start, *scheduled)
    begun = *scheduled, Change.IMPLEMENTING
    await change(past, HOUR, NOW - HOUR, *begun)
    for ago, end in ((3, [Change.COMPLETED]), (2, [Change.FAILED]), (40, [Change.FAILED])):
        await change(past, ago * DAY, NOW - ago * DAY, *begun, *end)
    await change(past, 5 * DAY, NOW - 5 * DAY, *begun, Change.COMPLETED, Change.ROLLED_BACK)
    await change(past, 31 * DAY, NOW - 31 * DAY, *begun, Change.COMPLETED, Change.ROLLED_BACK)
    found = (await workbench(past)).changes
    assert counts(found.by_status, "status") == {
        Change.DRAFT: 1, Change.SUBMITTED: 1, Change.APPROVED: 1, Change.REJECTED: 1, Change.SCHEDULED: 4,
        Change.IMPLEMENTING: 1,
    }  # fmt: skip
    assert (found.awaiting_approval, found.scheduled_next_7_days, found.implementing) == (1, 2, 1)
    assert (found.completed, found.failed, found.rolled_back) == (1, 1, 1)
    longer = (await workbench(past, range_from=NOW - 60 * DAY)).changes
    assert (longer.completed, longer.failed, longer.rolled_back) == (1, 2, 2)


async def change(ops: OpsAt, ago: timedelta, start: datetime, *moves: Any) -> None:
    """A change whose window is two hours from `start`; all that happens to it happens so long ago."""
    then = ops.at(NOW - ago)
    content = Change(title="Disk", risk=Change.LOW, planned_start=start, planned_end=start + 2 * HOUR)
    made: Change = await then.create(content)
    someone = then.of(ops.principal.workspace_id, subject="bob")
    for status in moves:
        if status == Change.APPROVED:
            await someone.call("ApproveChange", ApproveChangeRequest(id=made.id))
        elif status == Change.REJECTED:
            await someone.do("RejectChange", made, reason="No.")
        else:
            await then.patch(made, status=status)
