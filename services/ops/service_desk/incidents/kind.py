"""The kind `incidents`."""

from kit.resources.kind import Kind
from opsfield.ops.v1.incidents_pb2 import Incident
from services.ops.service_desk.incidents import rules

INCIDENTS = Kind(
    message=Incident,
    rules=rules.judge,
    defaults={"status": "open", "severity": "sev3"},
)
