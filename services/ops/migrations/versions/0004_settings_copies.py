"""The last known settings."""

from kit import schema

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    schema.execute(schema.settings_copies("ops"))
