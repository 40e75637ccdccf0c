"""The kind `edge-policies`."""

from kit.resources.kind import Kind
from opsfield.telemetry.v1.edge_policies_pb2 import EdgePolicy
from services.telemetry.edge_policies import rules

EDGE_POLICIES = Kind(message=EdgePolicy, rules=rules.judge, unique={"edge_policies_scope": "scopeId"})
