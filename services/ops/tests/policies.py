"""SLA policies for tests."""

from typing import Any

from opsfield.ops.v1.sla_policies_pb2 import SlaCalendar, SlaPolicy, SlaTargets
from opsfield.ops.v1.tickets_pb2 import Ticket


def policy(name: str = "Standard", *, first: int = 60, last: int = 240, **fields: Any) -> SlaPolicy:
    """Round the clock, the same for medium and twice as strict for critical."""
    targets = [
        SlaTargets(priority=Ticket.MEDIUM, first_response_minutes=first, resolution_minutes=last),
        SlaTargets(priority=Ticket.CRITICAL, first_response_minutes=first // 2, resolution_minutes=last // 2),
    ]
    calendar = SlaCalendar(time_zone="Europe/Dublin", always_open=True)
    return SlaPolicy(**{"name": name, "calendar": calendar, "targets": targets, **fields})
