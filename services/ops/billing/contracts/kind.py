"""The kind `contracts`."""

from kit.resources.kind import Kind
from opsfield.ops.v1.contracts_pb2 import Contract
from services.ops.billing.contracts import rules

CONTRACTS = Kind(
    message=Contract,
    rules=rules.judge,
    defaults={"status": "draft", "type": "recurring", "billing_period": "monthly"},
)
