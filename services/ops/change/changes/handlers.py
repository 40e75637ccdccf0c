"""What changes have beside the standard rpcs."""

from collections.abc import Sequence

from google.protobuf.message import Message

from kit.errors import Conflict, FieldError, Invalid
from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Kind, Row
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1.changes_pb2 import ApproveChangeRequest, RejectChangeRequest
from services.ops.change.changes import rules
from services.ops.change.changes.store import ChangeStore
from services.ops.directory.belonging import check_assets


class ChangeHandlers(ResourceHandlers):
    """ChangeService."""

    def __init__(self, kind: Kind, kinds: Sequence[Kind]) -> None:
        super().__init__(kind, kinds)
        self._others = ChangeStore(kind)

    async def approve_change(self, request: ApproveChangeRequest, work: UnitOfWork) -> Message:
        by = work.call.principal.subject
        comment = request.comment if request.HasField("comment") else None
        return await self.change(
            work,
            request.id,
            lambda change: rules.approve(change, by=by, comment=comment, now=work.now),
        )

    async def reject_change(self, request: RejectChangeRequest, work: UnitOfWork) -> Message:
        by = work.call.principal.subject
        return await self.change(
            work,
            request.id,
            lambda change: rules.reject(change, by=by, reason=request.reason, now=work.now),
        )

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        if before is None:
            after["requested_by"] = work.call.principal.subject
        else:
            rules.note_editor(before, after, by=work.call.principal.subject)
        if after["client_id"] and (before is None or _differ(before, after, "client_id", "asset_ids")):
            await check_assets(work, after["client_id"], after["asset_ids"])
        if before is None or before["status"] == after["status"]:
            return
        if before["status"] == "draft" and after["type"] == "standard":
            await self._check_runbook(work, after)
        if after["status"] == "scheduled" and after["asset_ids"]:
            await self._check_window(work, after)

    async def before_delete(self, work: UnitOfWork, row: Row) -> None:
        rules.check_deletion(row)

    async def _check_runbook(self, work: UnitOfWork, after: Row) -> None:
        if not await self._others.holds_published_runbook(work, after["runbook_id"]):
            raise Invalid.fields(FieldError("runbookId", "names a runbook that is not published"))

    async def _check_window(self, work: UnitOfWork, after: Row) -> None:
        await self._others.hold_assets(work, after["asset_ids"])
        other = await self._others.in_the_way(work, after)
        if other is not None:
            number = self.kind.written_number(other["number"])
            start, end = other["planned_start"].isoformat(), other["planned_end"].isoformat()
            raise Conflict(
                f"{number} works on one of these assets then, from {start} until {end}.", code="change-conflict"
            )


def _differ(before: Row, after: Row, *names: str) -> bool:
    return any(before[name] != after[name] for name in names)
