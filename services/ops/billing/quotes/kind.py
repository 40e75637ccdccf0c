"""The kind `quotes`."""

from kit.resources.kind import Kind
from opsfield.ops.v1.quotes_pb2 import Quote
from services.ops.billing.quotes import rules

QUOTES = Kind(message=Quote, rules=rules.judge, defaults={"status": "draft"})
