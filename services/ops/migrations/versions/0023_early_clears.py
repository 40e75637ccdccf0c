"""Signals that something is over which came before those that it began."""

from kit import schema

revision = "0023"
down_revision = "0022"

EARLY_CLEARS = """
CREATE TABLE early_clears (
    workspace_id text NOT NULL,
    fingerprint text NOT NULL,
    cleared_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, fingerprint)
);
"""


def upgrade() -> None:
    schema.execute(EARLY_CLEARS + schema.tenant_table("early_clears"))
