"""Alerts."""

from kit import schema

revision = "0015"
down_revision = "0014"

ALERTS = """
CREATE TYPE alert_status AS ENUM ('firing', 'acknowledged', 'resolved', 'suppressed');
CREATE TYPE alert_severity AS ENUM ('info', 'warning', 'high', 'critical');
CREATE TABLE alerts (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    source text NOT NULL,
    rule text,
    instance text,
    fingerprint text NOT NULL,
    severity alert_severity NOT NULL,
    title text NOT NULL,
    description text,
    asset_id uuid,
    client_id uuid,
    status alert_status NOT NULL,
    labels jsonb NOT NULL,
    occurrence_count integer NOT NULL,
    flap_count integer NOT NULL,
    first_seen_at timestamptz,
    last_seen_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    resolved_at timestamptz,
    ticket_id uuid,
    previous_alert_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, client_id) REFERENCES clients (workspace_id, id),
    FOREIGN KEY (workspace_id, ticket_id) REFERENCES tickets (workspace_id, id),
    FOREIGN KEY (workspace_id, previous_alert_id) REFERENCES alerts (workspace_id, id)
);
CREATE UNIQUE INDEX alerts_unresolved ON alerts (workspace_id, fingerprint)
    WHERE status <> 'resolved' AND deleted_at IS NULL;
CREATE INDEX alerts_fingerprint ON alerts (workspace_id, fingerprint, id) WHERE deleted_at IS NULL;
CREATE INDEX alerts_created ON alerts (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX alerts_status ON alerts (workspace_id, status, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX alerts_client ON alerts (workspace_id, client_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX alerts_asset ON alerts (workspace_id, asset_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX alerts_ticket ON alerts (workspace_id, ticket_id) WHERE ticket_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX alerts_search ON alerts USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(ALERTS + schema.tenant_table("alerts"))
