"""Edge policies, and a revision per workspace that grows with each change of any of them."""

from kit import schema

revision = "0004"
down_revision = "0003"

EDGE_POLICIES = """
CREATE TYPE edge_policy_scope AS ENUM ('workspace', 'client', 'site', 'agent');
CREATE TYPE edge_collector AS ENUM ('cpu', 'memory', 'disk', 'network', 'host');
CREATE TABLE edge_policies (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    scope edge_policy_scope NOT NULL,
    scope_id uuid,
    send_seconds integer,
    metrics_seconds integer,
    inventory_seconds integer,
    offline_after_seconds integer,
    offline_alert_seconds integer,
    offline_alerts boolean,
    collectors edge_collector[] NOT NULL,
    thresholds jsonb NOT NULL,
    checks jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CHECK ((scope = 'workspace') = (scope_id IS NULL))
);
CREATE UNIQUE INDEX edge_policies_scope ON edge_policies (workspace_id, scope, scope_id) NULLS NOT DISTINCT
    WHERE deleted_at IS NULL;
CREATE INDEX edge_policies_created ON edge_policies (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX edge_policies_search ON edge_policies USING gin (workspace_id, search gin_trgm_ops)
    WHERE deleted_at IS NULL;

CREATE TABLE policy_revisions (
    workspace_id text NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (workspace_id)
);
"""


def upgrade() -> None:
    schema.execute(EDGE_POLICIES + schema.tenant_table("edge_policies") + schema.tenant_table("policy_revisions"))
