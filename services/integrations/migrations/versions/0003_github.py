"""What GitHub delivers: how much of it, and how each pipeline is doing."""

from kit import schema

revision = "0003"
down_revision = "0002"

GITHUB = """
CREATE TABLE github_deliveries (
    workspace_id text NOT NULL,
    event text NOT NULL,
    -- Empty where there is none.
    action text NOT NULL,
    count bigint NOT NULL,
    created_at timestamptz NOT NULL,
    last_received_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, event, action)
);
-- The latest run of each pipeline on each branch.
CREATE TABLE pipelines (
    workspace_id text NOT NULL,
    fingerprint text NOT NULL,
    source text,
    repository text,
    name text,
    branch text,
    failed boolean,
    ended_at timestamptz,
    PRIMARY KEY (workspace_id, fingerprint)
);
"""


def upgrade() -> None:
    schema.execute(GITHUB + schema.tenant_table("github_deliveries") + schema.tenant_table("pipelines"))
