"""Incidents."""

from kit import schema

revision = "0016"
down_revision = "0015"

INCIDENTS = """
CREATE TYPE incident_status AS ENUM (
    'open', 'investigating', 'identified', 'monitoring', 'resolved', 'postmortem'
);
CREATE TYPE incident_severity AS ENUM ('sev1', 'sev2', 'sev3', 'sev4');
CREATE TABLE incidents (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    number bigint NOT NULL,
    title text NOT NULL,
    summary text,
    severity incident_severity NOT NULL,
    status incident_status NOT NULL,
    commander_id text,
    client_ids uuid[] NOT NULL,
    alert_ids uuid[] NOT NULL,
    ticket_ids uuid[] NOT NULL,
    change_id uuid,
    started_at timestamptz,
    root_cause text,
    postmortem text,
    override_reason text,
    identified_at timestamptz,
    resolved_at timestamptz,
    timeline jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX incidents_number ON incidents (workspace_id, number);
CREATE INDEX incidents_created ON incidents (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX incidents_status ON incidents (workspace_id, status, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX incidents_search ON incidents USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(INCIDENTS + schema.tenant_table("incidents"))
