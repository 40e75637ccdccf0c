"""The kind `payments`."""

from kit.resources.kind import Kind
from opsfield.ops.v1.payments_pb2 import Payment
from services.ops.billing.payments import rules

PAYMENTS = Kind(
    message=Payment,
    rules=rules.judge,
    defaults={"status": "pending", "method": "other"},
    unique={"payments_of_provider": "providerPaymentId"},
)
