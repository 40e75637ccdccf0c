"""Triggers, and how often each did what."""

from kit import schema

revision = "0004"
down_revision = "0003"

TRIGGERS = """
CREATE TABLE triggers (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    enabled boolean NOT NULL,
    topic text NOT NULL,
    reasoner text NOT NULL,
    input jsonb NOT NULL,
    filter jsonb NOT NULL,
    most_per_minute integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX triggers_name ON triggers (workspace_id, name) WHERE deleted_at IS NULL;
CREATE INDEX triggers_topic ON triggers (workspace_id, topic) WHERE enabled AND deleted_at IS NULL;
CREATE INDEX triggers_created ON triggers (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX triggers_search ON triggers USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;

CREATE TYPE trigger_outcome AS ENUM (
    'started', 'rate_limited', 'too_deep', 'input_invalid', 'reasoner_unknown', 'reasoner_broken'
);
CREATE TABLE trigger_counts (
    workspace_id text NOT NULL,
    trigger_id uuid NOT NULL,
    outcome trigger_outcome NOT NULL,
    count bigint NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, trigger_id, outcome),
    FOREIGN KEY (workspace_id, trigger_id) REFERENCES triggers (workspace_id, id)
) WITH (fillfactor = 60);
"""


def upgrade() -> None:
    schema.execute(TRIGGERS + schema.tenant_table("triggers") + schema.tenant_table("trigger_counts"))
