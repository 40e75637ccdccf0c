"""The tables every service has, and one in which a test's effects show."""

from kit import schema

revision = "0001"
down_revision = None

# The name is checked at the end of the transaction, so that a test can let the commit itself fail.
EFFECTS = """
CREATE TABLE effects (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, name) DEFERRABLE INITIALLY DEFERRED
);
"""


def upgrade() -> None:
    schema.execute(schema.shared_tables("sample") + EFFECTS + schema.tenant_table("effects"))
