"""The kind `changes`."""

from kit.resources.kind import Kind
from opsfield.ops.v1.changes_pb2 import Change
from services.ops.change.changes import rules

CHANGES = Kind(
    message=Change,
    rules=rules.judge,
    defaults={"status": "draft", "type": "normal", "risk": "medium", "required_approvals": 1},
)
