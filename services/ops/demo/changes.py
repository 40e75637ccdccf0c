"""Loads changes: from the draft to what came of them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from opsfield.ops.v1.changes_pb2 import ApproveChangeRequest, Change, RejectChangeRequest
from services.ops.demo.content_changes import CHANGES, DemoChange
from services.ops.demo.content_clients import CLIENTS
from services.ops.demo.content_directory import assets
from services.ops.demo.loader import DemoLoader, Facts, Story

_APPROVERS = ("elena.petrova", "amira.haddad", "nora.keane")


async def load(loader: DemoLoader, clients: Sequence[Facts], runbooks: Facts, now: datetime) -> dict[str, str]:
    """The ids of the changes, by title."""
    made = {}
    for number, change in enumerate(CHANGES):
        message = _message(change, clients, runbooks, now)
        made[change.title] = await _load_change(loader, number, change, message, now)
    return made


async def _load_change(loader: DemoLoader, number: int, change: DemoChange, message: Change, now: datetime) -> str:
    async def story(story: Story) -> Facts:
        first = change.steps[0][0] if change.steps else -9
        at = now + timedelta(hours=first - 5)
        change_id = str((await story.create(message, at=at, by=change.requested_by)).id)
        for hours, what in change.steps:
            await _step(story, change, change_id, what, now + timedelta(hours=hours))
        return {"change": change_id}

    return str((await loader.tell(f"change-{number}", story))["change"])


async def _step(story: Story, change: DemoChange, change_id: str, what: str, at: datetime) -> None:
    approvers = [each for each in _APPROVERS if each != change.requested_by][: change.approvals]
    match what:
        case "submit":
            await story.change(change_id, Change(status="SUBMITTED"), at=at, by=change.requested_by)
        case "approve":
            for place, by in enumerate(approvers):
                request = ApproveChangeRequest(id=change_id, comment=None if place else "Plan and way back are clear.")
                await story.do(request, at=at + timedelta(minutes=20 * place), by=by)
        case "reject":
            reason = f"Not like this. {change.outcome}"
            await story.do(RejectChangeRequest(id=change_id, reason=reason), at=at, by=approvers[0])
        case _:
            changes = Change(status=what.upper())
            if what in ("completed", "failed"):
                changes.outcome_notes = change.outcome or ""
            await story.change(change_id, changes, at=at, by=change.requested_by)


def _message(change: DemoChange, clients: Sequence[Facts], runbooks: Facts, now: datetime) -> Change:
    message = Change(
        title=change.title,
        description=change.description,
        type=change.type,
        risk=change.risk,
        impact=change.impact,
        plan=change.plan,
        test_plan=change.test_plan or None,
        backout_plan=change.backout or None,
        runbook_id=runbooks[change.runbook] if change.runbook else None,
        required_approvals=change.approvals,
    )
    if change.client:
        index = next(index for index, each in enumerate(CLIENTS) if each.short == change.client)
        message.client_id = clients[index]["client"]
        for type_ in change.assets:
            place = next(place for place, each in enumerate(assets(index)) if each.type == type_)
            message.asset_ids.append(clients[index]["assets"][place])
    if change.window:
        start, end = (now + timedelta(hours=hours) for hours in change.window)
        message.planned_start.CopyFrom(_timestamp(start))
        message.planned_end.CopyFrom(_timestamp(end))
    return message


def _timestamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp
