"""Changes: planned, approved by others, scheduled where nothing is in the way, implemented in their window."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from kit.errors import Conflict
from opsfield.ops.v1.assets_pb2 import Asset
from opsfield.ops.v1.changes_pb2 import ApproveChangeRequest, Change, ChangeApproval, RejectChangeRequest
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.runbooks_pb2 import Runbook, RunbookStep
from services.ops.tests.client import Ops
from tests.callers import refused

NOBODY = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"
HOUR = timedelta(hours=1)


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client()


@pytest.fixture
async def asset(ops: Ops, client: Client) -> Asset:
    found: Asset = await ops.create(Asset(client_id=client.id, name="SRV-1"))
    return found


def now() -> datetime:
    return datetime.now(UTC)


async def approve(ops: Ops, change: Change, by: str = "bob", **request: Any) -> Change:
    someone = ops.of(ops.principal.workspace_id, subject=by)
    found: Change = await someone.call("ApproveChange", ApproveChangeRequest(id=change.id, **request))
    return found


async def plan(ops: Ops, status: str = "draft", **fields: Any) -> Change:
    """A change of low risk in a state up to scheduled, with a window from an hour ago until in an hour."""
    change: Change = await ops.create(
        Change(**{
            "title": "Replace the disk",
            "risk": Change.LOW,
            "planned_start": now() - HOUR,
            "planned_end": now() + HOUR,
            **fields,
        })
    )  # fmt: skip
    if status != "draft":
        change = await ops.patch(change, status=Change.SUBMITTED)
    if status in ("approved", "scheduled"):
        change = await approve(ops, change)
    if status == "scheduled":
        change = await ops.patch(change, status=Change.SCHEDULED)
    return change


async def test_a_change_goes_the_whole_way(ops: Ops, client: Client, asset: Asset) -> None:
    change = await ops.create(
        Change(
            title="Update the firmware",
            client_id=client.id,
            asset_ids=[asset.id],
            plan="Flash it.",
            backout_plan="Flash the old one.",
            required_approvals=2,
        )
    )
    assert (change.number, change.status, change.type) == ("CHG-1001", Change.DRAFT, Change.NORMAL)
    assert (change.risk, change.requested_by) == (Change.MEDIUM, "ada")
    submitted = await ops.patch(change, status=Change.SUBMITTED)
    async with refused(409, "own-change"):
        await approve(ops, change, "ada")
    assert (await approve(ops, change, comment="Go.")).status == Change.SUBMITTED
    async with refused(409, "already-approved"):
        await approve(ops, change)
    approved = await approve(ops, change, "cem")
    assert approved.status == Change.APPROVED
    assert [(each.by, each.decision, each.comment) for each in approved.approvals] == [
        ("bob", ChangeApproval.APPROVED, "Go."),
        ("cem", ChangeApproval.APPROVED, ""),
    ]
    assert approved.approvals[1].at == approved.updated_at
    assert await ops.replace(approved) == approved

    start, end = now() - HOUR, now() + HOUR
    scheduled = await ops.patch(change, status=Change.SCHEDULED, planned_start=start, planned_end=end)
    assert scheduled.status == Change.SCHEDULED
    begun = await ops.patch(change, status=Change.IMPLEMENTING)
    assert begun.actual_start == begun.updated_at
    async with refused(409, "content-fixed"):
        await ops.patch(change, plan="Something else.")
    done = await ops.patch(change, status=Change.COMPLETED, outcome_notes="Quieter now.")
    assert (done.actual_end, done.outcome_notes) == (done.updated_at, "Quieter now.")
    assert (await ops.patch(change, status=Change.ROLLED_BACK)).status == Change.ROLLED_BACK

    found = await ops.page("Changes", number="CHG-1001", requested_by="ada", sort_by="plannedStart")
    assert [each.id for each in found.data] == [change.id]
    assert submitted.version == 2


async def test_a_change_is_rejected_with_a_reason(ops: Ops) -> None:
    change = await plan(ops, "submitted")
    async with refused(422, path="reason"):
        await ops.call("RejectChange", RejectChangeRequest(id=change.id))
    rejected = await ops.call("RejectChange", RejectChangeRequest(id=change.id, reason="Not on a Friday."))
    assert (rejected.status, rejected.approvals[0].comment) == (Change.REJECTED, "Not on a Friday.")
    async with refused(409, "not-submitted"):
        await approve(ops, change)


async def test_the_approvals_of_one_person_at_once_count_once(ops: Ops) -> None:
    change = await plan(ops, "submitted", required_approvals=2)
    answers = await asyncio.gather(*(approve(ops, change) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(each, Change) for each in answers) == 1
    assert {each.code for each in answers if isinstance(each, Conflict)} == {"already-approved"}
    assert (await ops.get(change)).status == Change.SUBMITTED


async def test_who_edits_or_submits_a_change_does_not_approve_it(ops: Ops) -> None:
    bob, cem = [ops.of(ops.principal.workspace_id, subject=each) for each in ("bob", "cem")]
    change = await plan(ops)
    await bob.patch(change, plan="Drop everything.")
    edited = await cem.patch(change, status=Change.SUBMITTED)
    assert (edited.requested_by, list(edited.edited_by)) == ("ada", ["bob", "cem"])
    for each in ("ada", "bob", "cem"):
        async with refused(409, "own-change"):
            await approve(ops, change, each)
    assert (await approve(ops, change, "eve")).status == Change.APPROVED


async def test_an_edit_voids_what_was_approved(ops: Ops) -> None:
    change = await plan(ops, "scheduled")
    edited = await ops.patch(change, plan="Another way.")
    assert edited.status == Change.DRAFT
    assert edited.approvals[0].voided_at == edited.updated_at
    await ops.patch(change, status=Change.SUBMITTED)
    assert (await approve(ops, change)).status == Change.APPROVED


async def test_a_change_names_assets_that_are_there_and_of_its_client(ops: Ops, client: Client, asset: Asset) -> None:
    other = await ops.create_client("Other")
    stranger = await ops.create(Asset(client_id=other.id, name="SRV-2"))
    async with refused(422, path="assetIds[1]"):
        await plan(ops, asset_ids=[asset.id, NOBODY])
    async with refused(422, path="assetIds[1]"):
        await plan(ops, client_id=client.id, asset_ids=[asset.id, stranger.id])
    change = await plan(ops, asset_ids=[asset.id, stranger.id])
    async with refused(422, path="assetIds[0]"):
        await ops.patch(change, client_id=other.id)
    async with refused(409, "in-use"):
        await ops.delete(stranger)
    await ops.patch(change, asset_ids=[asset.id])
    await ops.delete(stranger)


async def test_a_standard_change_follows_a_published_runbook(ops: Ops) -> None:
    runbook = await ops.create(Runbook(title="Add a user", steps=[RunbookStep(title="Add")]))
    change = await plan(ops, type=Change.STANDARD, runbook_id=runbook.id)
    async with refused(422, path="runbookId"):
        await ops.patch(change, status=Change.SUBMITTED)
    await ops.patch(runbook, status=Runbook.IN_REVIEW)
    await ops.patch(runbook, status=Runbook.PUBLISHED)
    assert (await ops.patch(change, status=Change.SUBMITTED)).status == Change.APPROVED
    async with refused(409, "in-use"):
        await ops.delete(runbook)


async def test_it_is_implemented_in_its_window_unless_it_is_an_emergency(ops: Ops) -> None:
    tomorrow = {"planned_start": now() + 24 * HOUR, "planned_end": now() + 25 * HOUR}
    async with refused(409, "outside-window"):
        await ops.patch(await plan(ops, "scheduled", **tomorrow), status=Change.IMPLEMENTING)
    emergency = await plan(ops, "scheduled", type=Change.EMERGENCY, **tomorrow)
    assert (await ops.patch(emergency, status=Change.IMPLEMENTING)).status == Change.IMPLEMENTING


async def test_two_changes_do_not_work_on_an_asset_at_one_time(ops: Ops, client: Client, asset: Asset) -> None:
    other = await ops.create(Asset(client_id=client.id, name="SRV-2"))
    first = await plan(ops, "scheduled", asset_ids=[asset.id])
    second = await plan(ops, "approved", asset_ids=[other.id, asset.id], planned_start=now())
    with pytest.raises(Conflict) as problem:
        await ops.patch(second, status=Change.SCHEDULED)
    assert problem.value.code == "change-conflict"
    assert problem.value.detail.startswith(f"{first.number} works on one of these assets")
    # Windows that only touch do not overlap, other assets are free, and what has ended is in nobody's way.
    end = first.planned_end.ToDatetime(UTC)
    await plan(ops, "scheduled", asset_ids=[asset.id], planned_start=end, planned_end=end + HOUR)
    await plan(ops, "scheduled", asset_ids=[other.id], planned_end=now())
    await ops.patch(first, status=Change.IMPLEMENTING)
    await ops.patch(first, status=Change.FAILED)
    third = await plan(ops, "scheduled", asset_ids=[asset.id], planned_end=end)
    assert third.status == Change.SCHEDULED


async def test_of_changes_scheduled_at_once_on_one_asset_one_is(ops: Ops, client: Client, asset: Asset) -> None:
    other = await ops.create(Asset(client_id=client.id, name="SRV-2"))
    orders = ([asset.id, other.id], [other.id, asset.id])
    changes = [await plan(ops, "approved", asset_ids=orders[each % 2]) for each in range(6)]
    answers = await asyncio.gather(
        *(ops.patch(each, status=Change.SCHEDULED) for each in changes), return_exceptions=True
    )
    assert sum(isinstance(each, Change) for each in answers) == 1
    assert {each.code for each in answers if isinstance(each, Conflict)} == {"change-conflict"}
    assert (await ops.page("Changes", status=Change.SCHEDULED)).page.total == 1


async def test_who_schedules_holds_the_assets_against_others(
    ops: Ops, asset: Asset, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """As the test above in slow motion: while another has the asset, scheduling waits, and in the end gives up."""
    change = await plan(ops, "approved", asset_ids=[asset.id])
    async with admin.transaction():
        await admin.execute("SELECT FROM assets WHERE id = $1 FOR SHARE", asset.id)
        async with refused(409, "busy"):
            await ops.patch(change, status=Change.SCHEDULED)
    assert (await ops.patch(change, status=Change.SCHEDULED)).status == Change.SCHEDULED
