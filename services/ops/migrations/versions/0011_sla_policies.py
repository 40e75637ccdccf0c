"""SLA policies, and the versions of them that tickets are bound to."""

from kit import schema

revision = "0011"
down_revision = "0010"

SLA_POLICIES = """
CREATE TABLE sla_policies (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    description text,
    calendar jsonb NOT NULL,
    targets jsonb NOT NULL,
    pause_states ticket_status[] NOT NULL,
    never_pauses boolean NOT NULL,
    warn_percent integer NOT NULL,
    is_default boolean NOT NULL,
    client_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, client_id) REFERENCES clients (workspace_id, id)
);
CREATE UNIQUE INDEX sla_policies_name ON sla_policies (workspace_id, lower(name)) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX sla_policies_default ON sla_policies (workspace_id) WHERE is_default AND deleted_at IS NULL;
CREATE UNIQUE INDEX sla_policies_client ON sla_policies (workspace_id, client_id) WHERE deleted_at IS NULL;
CREATE INDEX sla_policies_created ON sla_policies (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX sla_policies_search ON sla_policies USING gin (workspace_id, search gin_trgm_ops)
    WHERE deleted_at IS NULL;

CREATE TABLE sla_policy_versions (
    workspace_id text NOT NULL,
    policy_id uuid NOT NULL,
    version bigint NOT NULL,
    name text NOT NULL,
    calendar jsonb NOT NULL,
    targets jsonb NOT NULL,
    pause_states ticket_status[] NOT NULL,
    warn_percent integer NOT NULL,
    PRIMARY KEY (workspace_id, policy_id, version),
    FOREIGN KEY (workspace_id, policy_id) REFERENCES sla_policies (workspace_id, id)
);
"""


def upgrade() -> None:
    schema.execute(SLA_POLICIES + schema.tenant_table("sla_policies") + schema.tenant_table("sla_policy_versions"))
