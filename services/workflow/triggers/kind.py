"""The kind `triggers`."""

from kit.resources.kind import Kind
from opsfield.workflow.v1.triggers_pb2 import Trigger
from services.workflow.triggers import rules

TRIGGERS = Kind(
    message=Trigger,
    rules=rules.judge,
    defaults={"enabled": True, "most_per_minute": 60},
    unique={"triggers_name": "name"},
)
