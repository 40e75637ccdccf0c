"""Changes."""

from kit import schema

revision = "0010"
down_revision = "0009"

CHANGES = """
CREATE TYPE change_status AS ENUM (
    'draft', 'submitted', 'approved', 'rejected', 'scheduled', 'implementing', 'completed', 'failed', 'rolled_back'
);
CREATE TYPE change_type AS ENUM ('standard', 'normal', 'emergency');
CREATE TYPE change_risk AS ENUM ('low', 'medium', 'high', 'critical');
CREATE TABLE changes (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    number bigint NOT NULL,
    title text NOT NULL,
    description text,
    status change_status NOT NULL,
    type change_type NOT NULL,
    risk change_risk NOT NULL,
    impact text,
    client_id uuid,
    asset_ids uuid[] NOT NULL,
    runbook_id uuid,
    plan text,
    test_plan text,
    backout_plan text,
    planned_start timestamptz,
    planned_end timestamptz CHECK (planned_end > planned_start),
    required_approvals integer NOT NULL,
    outcome_notes text,
    requested_by text,
    approvals jsonb NOT NULL,
    actual_start timestamptz,
    actual_end timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, client_id) REFERENCES clients (workspace_id, id),
    FOREIGN KEY (workspace_id, runbook_id) REFERENCES runbooks (workspace_id, id)
);
CREATE UNIQUE INDEX changes_number ON changes (workspace_id, number);
CREATE INDEX changes_created ON changes (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX changes_status ON changes (workspace_id, status, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX changes_client ON changes (workspace_id, client_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX changes_runbook ON changes (workspace_id, runbook_id, created_at, id) WHERE deleted_at IS NULL;
-- Whose window may stand in the way of another's.
CREATE INDEX changes_planned ON changes (workspace_id, planned_start)
    WHERE status IN ('scheduled', 'implementing') AND deleted_at IS NULL;
CREATE INDEX changes_search ON changes USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(CHANGES + schema.tenant_table("changes"))
