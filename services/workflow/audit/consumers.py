"""Privileged actions of all services become records of the audit trail."""

from google.protobuf.json_format import ParseDict, ParseError

from kit import contract, validation
from kit.consumer import Subscription
from kit.errors import Invalid
from kit.events import ReceivedEvent
from kit.unit_of_work import UnitOfWork
from opsfield.common.v1.audit_pb2 import PrivilegedAction
from services.workflow.audit import store

NAME = "workflow-audit"


def subscription() -> Subscription:
    return Subscription(NAME, {contract.event_topic(PrivilegedAction.DESCRIPTOR): privileged_action})


async def privileged_action(event: ReceivedEvent, work: UnitOfWork) -> None:
    """Raises Invalid for an event that cannot be: it is parked."""
    try:
        action = ParseDict(event.data, PrivilegedAction(), ignore_unknown_fields=True)
    except ParseError as error:
        raise Invalid(f"The event does not hold a privileged action: {error}") from error
    validation.check(action)
    claims = {
        "operation": action.operation,
        "subject": action.subject,
        "roles": list(action.roles),
        "resourceId": action.resource_id if action.HasField("resource_id") else None,
        "version": action.version if action.HasField("version") else None,
        "occurredAt": action.occurred_at.ToJsonString(),
        "eventId": event.id,
        "correlationId": event.correlation_id,
    }
    subject_id = action.resource_id or action.operation
    search = "\n".join((action.operation, action.subject, subject_id)).lower()
    await store.add(work, "privileged_action", subject_id, claims, search)
