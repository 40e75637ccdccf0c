"""The kind `alerts`."""

from collections.abc import Iterable

from google.protobuf.message import Message

from kit.resources.kind import Kind, Row
from opsfield.ops.v1.alerts_pb2 import Alert, AlertTriggered
from services.ops.monitoring.alerts import rules


def announce(before: Row | None, after: Row, alert: Alert) -> Iterable[Message]:
    """An alert that starts to fire is told of; a repetition is not, nor is maintenance."""
    if after["status"] == "firing" and (before is None or before["status"] in ("resolved", "suppressed")):
        yield AlertTriggered(alert=alert)


ALERTS = Kind(
    message=Alert,
    rules=rules.judge,
    defaults={"severity": "warning", "status": "firing"},
    unique={"alerts_unresolved": "fingerprint"},
    announce=announce,
)
