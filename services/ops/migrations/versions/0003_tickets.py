"""Tickets."""

from kit import schema

revision = "0003"
down_revision = "0002"

TICKETS = """
CREATE TYPE ticket_status AS ENUM (
    'new', 'open', 'in_progress', 'waiting_on_client', 'waiting_on_vendor', 'resolved', 'closed'
);
CREATE TYPE ticket_priority AS ENUM ('low', 'medium', 'high', 'critical');
CREATE TYPE ticket_source AS ENUM ('api', 'portal', 'email', 'phone', 'alert', 'agent');
CREATE TABLE tickets (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    number bigint NOT NULL,
    subject text NOT NULL,
    description text,
    client_id uuid NOT NULL,
    status ticket_status NOT NULL,
    priority ticket_priority NOT NULL,
    source ticket_source NOT NULL,
    category text,
    assignee_id text,
    tier integer NOT NULL,
    tags text[] NOT NULL,
    resolution text,
    resolved_at timestamptz,
    closed_at timestamptz,
    reopen_count integer NOT NULL,
    escalations jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, client_id) REFERENCES clients (workspace_id, id)
);
CREATE UNIQUE INDEX tickets_number ON tickets (workspace_id, number);
CREATE INDEX tickets_created ON tickets (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX tickets_status ON tickets (workspace_id, status, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX tickets_client ON tickets (workspace_id, client_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX tickets_assignee ON tickets (workspace_id, assignee_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX tickets_search ON tickets USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(TICKETS + schema.tenant_table("tickets"))
