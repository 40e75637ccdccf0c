"""The kind `sla-policies`."""

from kit.resources.kind import Kind
from opsfield.ops.v1.sla_policies_pb2 import SlaPolicy
from services.ops.service_desk.sla_policies import rules

SLA_POLICIES = Kind(
    message=SlaPolicy,
    rules=rules.judge,
    defaults={"warn_percent": 80},
    unique={"sla_policies_name": "name", "sla_policies_default": "isDefault", "sla_policies_client": "clientId"},
)
