"""Who edited a change in what is approved, or submitted it. Of changes from before, nobody knows."""

from kit import schema

revision = "0025"
down_revision = "0024"

COLUMN = """
ALTER TABLE changes ADD COLUMN edited_by text[] NOT NULL DEFAULT '{}';
"""


def upgrade() -> None:
    schema.execute(COLUMN)
