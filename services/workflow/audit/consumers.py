"""Privileged actions of all services become records of the audit trail."""

from kit import contract
from kit.consumer import Subscription
from kit.event_messages import said
from kit.events import ReceivedEvent
from kit.unit_of_work import UnitOfWork
from opsfield.common.v1.audit_pb2 import PrivilegedAction
from services.workflow.audit import store

NAME = "workflow-audit"


def subscription() -> Subscription:
    return Subscription(NAME, {contract.event_topic(PrivilegedAction.DESCRIPTOR): privileged_action})


async def privileged_action(event: ReceivedEvent, work: UnitOfWork) -> None:
    """Raises Invalid for an event that cannot be: it is parked."""
    action = said(event.data, PrivilegedAction)
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
