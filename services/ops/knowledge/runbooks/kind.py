"""The kind `runbooks`."""

from kit.resources.kind import Kind
from opsfield.ops.v1.runbooks_pb2 import Runbook
from services.ops.knowledge.runbooks import rules

RUNBOOKS = Kind(
    message=Runbook,
    rules=rules.judge,
    defaults={"status": "draft", "required_role": "ops_engineer"},
)
