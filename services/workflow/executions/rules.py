"""The life of an execution. An execution is a row: its columns by name, states as words, times in UTC.

    queued → running → succeeded / failed / cancelled / timed_out
                     → approval_required → running (its proposals are being done) → succeeded / failed

Each attempt ends once. While `times_out_at` is set the runtime owes its report of the attempt; while `applies_at` is
set, approved proposals are being done. Functions that return bool say whether the row changed: what comes late, twice
or out of order is not an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kit.errors import Conflict, IllegalTransition
from kit.resources.lifecycle import Lifecycle, states
from services.workflow.executions import done_before

Row = dict[str, Any]

FINAL = states("succeeded failed cancelled timed_out")
_ENDS = "succeeded failed cancelled timed_out"
LIFECYCLE = Lifecycle(
    "execution",
    initial=states("queued"),
    moves={
        "queued": states(f"running approval_required {_ENDS}"),
        "running": states(f"approval_required {_ENDS}"),
        "approval_required": states("running failed cancelled"),
        "succeeded": states(""),
        "failed": states("queued"),
        "cancelled": states("queued"),
        "timed_out": states("queued"),
    },
)
# Beside what the reasoner may take itself, an execution may wait so long for a worker.
QUEUEING = timedelta(minutes=5)
LONGEST = timedelta(days=1)
_DETAIL = 2000
_DEFAULT_CODES = {"failed": "reasoner_error", "cancelled": "cancelled_by_caller", "timed_out": "deadline_exceeded"}


@dataclass(frozen=True)
class Report:
    """How an attempt went, as the runtime tells it. `outcome` is a final state."""

    attempt: int
    outcome: str
    completed_at: datetime
    started_at: datetime | None = None
    tries: int = 0
    output_ref: str | None = None
    evidence_ref: str | None = None
    proposals: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    proposals_digest: str | None = None
    failure_code: str | None = None
    failure_detail: str | None = None


def deadline(asked_seconds: int | None, timeout_seconds: int, most_tries: int) -> int:
    """How many seconds an execution may take, from when it is queued."""
    if asked_seconds:
        return asked_seconds
    allowed = timedelta(seconds=max(timeout_seconds, 1)) * max(most_tries, 1) + QUEUEING
    return int(min(allowed, LONGEST).total_seconds())


def queue(row: Row, now: datetime) -> None:
    """Begin the first attempt."""
    row |= {"status": "queued", "attempt": 1, "retry_count": 0, "proposals": []}
    _begin(row, now)


def retry(row: Row, now: datetime) -> None:
    """Begin another attempt. What was done of the last one's proposals is done, and stays to be seen. Raises
    IllegalTransition unless the last one failed, was cancelled or ran out of time."""
    _move(row, "queued")
    row["attempt"] += 1
    row["retry_count"] += 1
    _begin(row, now)
    row["proposals"] = done_before.kept(row["proposals"])


def start(row: Row, *, attempt: int, tries: int, at: datetime) -> bool:
    """A worker has begun to run it, be it anew."""
    if not is_awaited(row, attempt) or tries <= row["tries"]:
        return False
    row["status"] = "running"
    row["started_at"] = at
    _count(row, tries)
    return True


def finish(row: Row, report: Report, now: datetime, *, apply_at_once: bool) -> bool:
    """The runtime is done with it. What it proposes waits for a decision, or is done where the policy says so and no
    attempt before has done something. What was done before is not done again."""
    if not is_awaited(row, report.attempt):
        return False
    started_at = report.started_at or row["started_at"]
    row |= {
        "times_out_at": None,
        "started_at": started_at,
        "duration_ms": _milliseconds(started_at, report.completed_at),
        "output_ref": report.output_ref,
        "evidence_ref": report.evidence_ref,
    }
    _count(row, report.tries)
    if report.outcome != "succeeded":
        code = report.failure_code or _DEFAULT_CODES[report.outcome]
        _end(row, report.outcome, report.completed_at, code, report.failure_detail)
        return True
    done = row["proposals"]
    row["proposals"] = done_before.proposed(report.proposals, done)
    row["proposals_digest"] = report.proposals_digest
    if next_proposal(row) is None:
        _end(row, "succeeded", report.completed_at)
    else:
        _move(row, "approval_required")
        if apply_at_once and not done:
            _approve(row, by="policy", reason=None, at=now)
    return True


def is_awaited(row: Row, attempt: int) -> bool:
    """Whether the runtime's report of this attempt still counts."""
    return bool(row["attempt"] == attempt and row["times_out_at"] is not None)


def time_out(row: Row, now: datetime) -> bool:
    """Its deadline has passed and the runtime has not reported."""
    if row["times_out_at"] is None or row["times_out_at"] > now:
        return False
    _end(row, "timed_out", now, "deadline_exceeded", "It did not end before its deadline.")
    return True


def cancel(row: Row, now: datetime, reason: str | None) -> None:
    """Raises IllegalTransition when it has ended, or its approved proposals are being done."""
    if row["applies_at"] is not None:
        raise IllegalTransition(
            "The execution's proposals are approved and being done; it cannot be cancelled any more."
        )
    if row["status"] in FINAL:
        raise IllegalTransition(f"The execution has ended: it is {row['status']} and cannot be cancelled.")
    _end(row, "cancelled", now, "cancelled_by_caller", reason)


def decide(row: Row, verdict: str, digest: str, *, by: str, reason: str | None, now: datetime) -> None:
    """Approve or reject all that it proposes. Raises IllegalTransition unless it awaits that, and Conflict when its
    proposals are not those of the digest."""
    if row["status"] != "approval_required":
        raise IllegalTransition(f"The execution is {row['status']}: there is nothing to decide.")
    if digest != row["proposals_digest"]:
        raise Conflict("The digest is not that of the execution's proposals; read it again.", code="proposals-changed")
    if verdict == "approved":
        _approve(row, by=by, reason=reason, at=now)
        return
    row["decision"] = _decision("rejected", by, reason, now)
    row["proposals"] = [
        {**each, "state": "rejected"} if each["state"] == "proposed" else each for each in row["proposals"]
    ]
    _end(row, "failed", now, "proposal_rejected", reason)


def apply_proposal(row: Row, index: int, resource_id: str | None, now: datetime) -> bool:
    """A proposal is done. With the last one the execution has succeeded."""
    if not is_being_applied(row, index):
        return False
    _set(row, index, state="applied", resource_id=resource_id)
    row["apply_tries"] = 0
    if next_proposal(row) is None:
        _end(row, "succeeded", now)
    return True


def fail_proposal(row: Row, index: int, problem: str, resource_id: str | None, now: datetime) -> bool:
    """A proposal cannot be done: the execution has failed, what is done already stays done."""
    if not is_being_applied(row, index):
        return False
    begun = resource_id or row["proposals"][index].get("resource_id")
    _set(row, index, state="failed", resource_id=begun, problem=problem[:_DETAIL])
    _end(row, "failed", now, "proposal_failed", f"Proposal {index + 1}: {problem}")
    return True


def is_being_applied(row: Row, index: int) -> bool:
    return row["applies_at"] is not None and row["proposals"][index]["state"] == "proposed"


def next_proposal(row: Row) -> int | None:
    """The first one that is still to be done."""
    waiting = (index for index, each in enumerate(row["proposals"]) if each["state"] == "proposed")
    return next(waiting, None)


def note_sent(row: Row, index: int, now: datetime) -> datetime:
    """A proposal is about to be sent to ops; returns when it was sent first."""
    row["proposals"][index].setdefault("sent_at", now.isoformat())
    return datetime.fromisoformat(row["proposals"][index]["sent_at"])


def _begin(row: Row, now: datetime) -> None:
    deadline_at = now + timedelta(seconds=row["deadline_seconds"])
    row |= {
        "tries": 0,
        "queued_at": now,
        "deadline_at": deadline_at,
        "times_out_at": deadline_at,
        "apply_tries": 0,
    }
    row |= dict.fromkeys(
        (
            "started_at",
            "completed_at",
            "duration_ms",
            "output_ref",
            "evidence_ref",
            "failure_code",
            "failure_detail",
            "proposals_digest",
            "decision",
            "applies_at",
        )
    )


def _count(row: Row, tries: int) -> None:
    """The runtime's first try of an attempt is no retry."""
    if tries > row["tries"]:
        row["retry_count"] += max(tries, 1) - max(row["tries"], 1)
        row["tries"] = tries


def _approve(row: Row, *, by: str, reason: str | None, at: datetime) -> None:
    _move(row, "running")
    row["decision"] = _decision("approved", by, reason, at)
    row["applies_at"] = at


def _decision(verdict: str, by: str, reason: str | None, at: datetime) -> Row:
    return {"verdict": verdict, "reason": reason, "decided_by": by, "decided_at": at.isoformat()}


def _set(row: Row, index: int, **changes: Any) -> None:
    row["proposals"] = [{**each, **changes} if place == index else each for place, each in enumerate(row["proposals"])]


def _end(row: Row, status: str, at: datetime, code: str | None = None, detail: str | None = None) -> None:
    _move(row, status)
    row |= {
        "completed_at": at,
        "failure_code": code,
        "failure_detail": detail[:_DETAIL] if detail else None,
        "times_out_at": None,
        "applies_at": None,
    }


def _move(row: Row, status: str) -> None:
    if row["status"] == status:
        raise IllegalTransition(f"The execution is {status} already.")
    LIFECYCLE.check(row["status"], status)
    row["status"] = status


def _milliseconds(start: datetime | None, end: datetime) -> int | None:
    return max(0, round((end - start).total_seconds() * 1000)) if start else None
