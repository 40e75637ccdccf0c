"""The kind `time-entries`."""

from kit.resources.kind import Kind
from opsfield.ops.v1.time_entries_pb2 import TimeEntry
from services.ops.service_desk.time_entries import rules

TIME_ENTRIES = Kind(
    message=TimeEntry,
    rules=rules.judge,
    defaults={"billable": True, "work_type": "remote"},
    filters={
        "client_id": "ticket_id IN (SELECT id FROM tickets WHERE workspace_id = $1 AND client_id = {})",
        "invoiced": "(invoiced_at IS NOT NULL) = {}",
    },
)
