"""Does approved proposals, one after the other, each exactly once.

Ops is called outside of any transaction, and what came of it is recorded in one of its own. A crash between the two
leads to the same call with the same idempotency key, and ops gives its first answer. While somebody does an execution's
proposals nobody else begins to (`applies_at` is put off); should that one be slow, both make the same calls and whoever
records second finds it recorded.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from kit import clock, faults, ids
from kit.call import Call
from kit.database import Database
from kit.errors import Problem
from kit.identity import Principal
from kit.logs import get_logger
from kit.sweeping import Sweep
from kit.unit_of_work import UnitOfWork, unit_of_work
from services.workflow.executions import endings, rules, store
from services.workflow.executions.rules import Row
from services.workflow.proposals.actions import ParametersInvalidError, effect
from services.workflow.proposals.ops_client import LinkFailedError, OpsClient, correlation_id, is_passing

_SERVICE = "workflow"
_SUBJECT = "system:proposals"
_CHANNEL = "workflow_applying"
_WORKSPACES = "SELECT DISTINCT workspace_id FROM executions WHERE applies_at <= $1"
# How long one proposal may take before somebody else may take it up.
_LEASE = timedelta(seconds=60)
_FIRST_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(minutes=5)
# Ops remembers keys for a day at least; later the same call could take effect again.
PATIENCE = timedelta(hours=20)
_UNKNOWN = "It was begun 20 hours ago or more; whether it took effect is not known, so look before it is tried again."

log = get_logger(__name__)


def proposal_sweep(database: Database, relay_url: str, on_commit: Callable[[], None], ops: OpsClient) -> Sweep:
    """The sweep that does what is approved."""
    applier = Applier(database, on_commit, ops)
    return Sweep("proposals", relay_url, _WORKSPACES, applier.do_one, channel=_CHANNEL)


class Applier:
    """Does the approved proposals of executions."""

    def __init__(self, database: Database, on_commit: Callable[[], None], ops: OpsClient) -> None:
        self._database = database
        self._on_commit = on_commit
        self._ops = ops

    async def do_one(self, workspace_id: str) -> bool:
        """Do the next proposal of one execution of the workspace that is due. False when there is none."""
        taken = await self._take(workspace_id)
        if taken is None:
            return False
        row, index, sent_at = taken
        if clock.now() - sent_at >= PATIENCE:
            await self._record_failure(row, workspace_id, index, _UNKNOWN, None)
            return True
        proposal = row["proposals"][index]
        try:
            resource_id = await self._ops.carry_out(
                row, workspace_id, index, effect(proposal["action"], proposal["parameters"])
            )
        except (ParametersInvalidError, LinkFailedError) as error:
            await self._record_failure(row, workspace_id, index, str(error), getattr(error, "resource_id", None))
        except Problem as problem:
            if is_passing(problem):
                await self._put_off(row, workspace_id, problem)
            else:
                await self._record_failure(row, workspace_id, index, _text(problem), None)
        else:
            faults.point("before-proposal-record")
            await self._record(row, workspace_id, index, resource_id)
        return True

    async def _take(self, workspace_id: str) -> tuple[Row, int, datetime] | None:
        """An execution, which proposal of it is to be done, and since when that is tried."""
        async with unit_of_work(self._database, _call(workspace_id), service=_SERVICE) as work:
            row = await store.take_to_apply(work)
            if row is None:
                return None
            index = rules.next_proposal(row)
            assert index is not None, "the last one that is done ends the execution"
            sent_at = rules.note_sent(row, index, work.now)
            await store.lease(work, row, work.now + _LEASE)
        faults.point("after-proposal-take")
        return row, index, sent_at

    async def _record(self, row: Row, workspace_id: str, index: int, resource_id: str) -> None:
        async with unit_of_work(self._database, _call(workspace_id, row), service=_SERVICE) as work:
            current = await _still(work, row)
            if current is not None and rules.apply_proposal(current, index, resource_id, work.now):
                await self._keep(work, current)
        faults.point("after-proposal-record")
        self._on_commit()

    async def _record_failure(
        self, row: Row, workspace_id: str, index: int, problem: str, resource_id: str | None
    ) -> None:
        log.warning("proposal failed", workspace=workspace_id, execution=row["id"], index=index, reason=problem)
        async with unit_of_work(self._database, _call(workspace_id, row), service=_SERVICE) as work:
            current = await _still(work, row)
            if current is not None and rules.fail_proposal(current, index, problem, resource_id, work.now):
                await self._keep(work, current)
        self._on_commit()

    async def _keep(self, work: UnitOfWork, row: Row) -> None:
        if row["applies_at"] is not None:
            # The next one, at once.
            row["applies_at"] = work.now
        await endings.keep(work, row)

    async def _put_off(self, row: Row, workspace_id: str, problem: Problem) -> None:
        pause = min(_FIRST_PAUSE * 2 ** min(row["apply_tries"], 20), _LONGEST_PAUSE)
        log.info("proposal waits", workspace=workspace_id, execution=row["id"], reason=problem.detail)
        async with unit_of_work(self._database, _call(workspace_id, row), service=_SERVICE) as work:
            if await _still(work, row) is not None:
                await store.put_off(work, row["id"], work.now + pause, row["apply_tries"] + 1)


async def _still(work: UnitOfWork, row: Row) -> Row | None:
    """The execution as it is by now, locked; None when that attempt is over."""
    current = await store.lock(work, row["id"])
    return current if current is not None and current["attempt"] == row["attempt"] else None


def _text(problem: Problem) -> str:
    places = "; ".join(f"{each.path}: {each.message}" for each in problem.errors)
    return f"{problem.detail} {places}".strip()


def _call(workspace_id: str, row: Row | None = None) -> Call:
    return Call(
        method="/opsfield.workflow/ProposalSweep",
        principal=Principal(_SUBJECT, workspace_id=workspace_id, service=_SERVICE),
        correlation_id=correlation_id(row["id"]) if row else f"proposals-{ids.new_id()}",
    )
