"""Executions as messages."""

from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from kit import contract, structs
from opsfield.workflow.v1.executions_pb2 import Decision, Execution, Proposal
from services.workflow.executions.rules import FINAL, Row

_ACTION = contract.enum_words(Proposal.DESCRIPTOR.fields_by_name["action"])
# Those that are in the row as they are in the message.
_PLAIN = [
    "id",
    "agent",
    "reasoner",
    "input_ref",
    "output_ref",
    "evidence_ref",
    "failure_detail",
    "retry_count",
    "duration_ms",
    "deadline_at",
    "started_at",
    "completed_at",
    "proposals_digest",
    "trigger_event_id",
    "causation_depth",
    "created_at",
    "updated_at",
    "created_by",
    "version",
]


def execution(row: Row) -> Execution:
    """The message of a row."""
    return Execution(
        **{name: row[name] for name in _PLAIN},
        status=row["status"].upper(),
        failure_code=row["failure_code"].upper() if row["failure_code"] else None,
        proposals=[_proposal(each) for each in row["proposals"]],
        decision=_decision(row["decision"]) if row["decision"] else None,
        is_final=row["status"] in FINAL,
    )


def action_word(action: int) -> str | None:
    """`create_ticket`; None for none that is known."""
    return next((word for word, number in _ACTION.items() if number == action), None)


def _proposal(each: dict[str, Any]) -> Proposal:
    return Proposal(
        action=each["action"].upper() if each["action"] else None,
        parameters=structs.from_json(each["parameters"]),
        summary=each["summary"],
        state=each["state"].upper(),
        resource_id=each.get("resource_id"),
        problem=each.get("problem"),
    )


def _decision(decision: dict[str, Any]) -> Decision:
    decided_at = Timestamp()
    decided_at.FromDatetime(datetime.fromisoformat(decision["decided_at"]).astimezone(UTC))
    return Decision(
        verdict=decision["verdict"].upper(),
        reason=decision["reason"],
        decided_by=decision["decided_by"],
        decided_at=decided_at,
    )
