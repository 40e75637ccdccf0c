"""What is written down of executions: their ends, and the decisions on them."""

from typing import Any

from kit.unit_of_work import UnitOfWork
from services.workflow.audit import store

Row = dict[str, Any]


async def note_end(work: UnitOfWork, row: Row) -> None:
    """An execution has come to its attempt's end: what went in, came out and stands behind it, by digest."""
    await store.add(work, "execution", row["id"], _claims(row) | _end(row), _search(row))


async def note_decision(work: UnitOfWork, row: Row) -> None:
    """Somebody, or the agent's policy, has decided on an execution's proposals."""
    claims = _claims(row) | {"decision": row["decision"], "decidedBySubject": work.call.principal.subject}
    await store.add(work, "decision", row["id"], claims, _search(row))


def _claims(row: Row) -> dict[str, Any]:
    return {
        "executionId": row["id"],
        "agent": row["agent"],
        "reasoner": row["reasoner"],
        "attempt": row["attempt"],
        "requestedBy": row["created_by"],
        "inputDigest": row["input_ref"],
        "outputDigest": row["output_ref"],
        "evidenceDigest": row["evidence_ref"],
        "proposalsDigest": row["proposals_digest"],
    }


def _end(row: Row) -> dict[str, Any]:
    return {
        "status": row["status"],
        "failureCode": row["failure_code"],
        "proposals": [
            {"action": each["action"], "state": each["state"], "resourceId": each.get("resource_id")}
            for each in row["proposals"]
        ],
        "startedAt": row["started_at"],
        "completedAt": row["completed_at"],
    }


def _search(row: Row) -> str:
    return "\n".join((row["id"], f"{row['agent']}.{row['reasoner']}", row["created_by"])).lower()
