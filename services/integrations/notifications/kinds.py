"""The kinds `notification-channels` and `notification-rules`."""

from kit.resources.kind import Kind
from opsfield.integrations.v1.notifications_pb2 import NotificationChannel, NotificationRule
from services.integrations.notifications import rules

CHANNELS = Kind(
    message=NotificationChannel,
    rules=rules.judge_channel,
    defaults={"enabled": True, "digest_minutes": 0},
    unique={"notification_channels_name": "name"},
)
RULES = Kind(
    message=NotificationRule,
    rules=rules.judge_rule,
    defaults={"enabled": True, "quiet_minutes": 0},
    unique={"notification_rules_name": "name"},
)
