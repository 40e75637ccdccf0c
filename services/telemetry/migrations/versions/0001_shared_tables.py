"""Idempotency keys, outbox, inbox and audit records."""

from kit import schema

revision = "0001"
down_revision = None


def upgrade() -> None:
    schema.execute(schema.shared_tables("telemetry"))
