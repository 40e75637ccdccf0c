"""What incidents have beside the standard way of a kind."""

from google.protobuf.message import Message

from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1 import incidents_pb2
from services.ops.service_desk.incidents import rules

_UNRESOLVED = """
SELECT id FROM alerts WHERE workspace_id = $1 AND id = ANY($2) AND status <> 'resolved' AND deleted_at IS NULL
ORDER BY id FOR SHARE
"""


class IncidentHandlers(ResourceHandlers):
    """IncidentService."""

    async def add_incident_note(self, request: incidents_pb2.AddIncidentNoteRequest, work: UnitOfWork) -> Message:
        return await self.change(
            work, request.id, lambda incident: rules.add_note(incident, request.note, now=work.now)
        )

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        if rules.is_resolving(before, after) and after["alert_ids"]:
            unresolved = await work.fetch(_UNRESOLVED, work.call.workspace_id, after["alert_ids"])
            rules.check_alerts(after, len(unresolved))
        rules.sign(after, work.call.principal.subject)
