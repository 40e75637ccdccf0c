"""The last known settings."""

from kit import schema

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    schema.execute(schema.settings_copies("workflow"))
