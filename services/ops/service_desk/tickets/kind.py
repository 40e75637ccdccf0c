"""The kind `tickets`."""

from collections.abc import Iterable

from google.protobuf.message import Message

from kit.resources.kind import Kind, Row
from opsfield.ops.v1.tickets_pb2 import Ticket, TicketCreated, TicketSlaBreached
from services.ops.service_desk.sla.clock import TARGETS
from services.ops.service_desk.tickets import rules


def announce(before: Row | None, after: Row, ticket: Ticket) -> Iterable[Message]:
    """The events that a change of a ticket gives rise to. A breach, which nothing undoes, is recorded and told of in
    the same change, so that it is told once."""
    if before is None:
        yield TicketCreated(ticket=ticket)
    for target in TARGETS:
        breached_at = after[f"{target}_breached_at"]
        if breached_at is not None and (before is None or before[f"{target}_breached_at"] is None):
            policy_id = after["sla_policy_id"] or (before or {}).get("sla_policy_id")
            yield TicketSlaBreached(ticket=ticket, target=target.upper(), due_at=breached_at, policy_id=policy_id or "")


TICKETS = Kind(
    message=Ticket,
    rules=rules.judge,
    defaults={"status": "new", "priority": "medium", "source": "api", "tier": 1},
    announce=announce,
)
