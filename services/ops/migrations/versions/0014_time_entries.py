"""Time entries."""

from kit import schema

revision = "0014"
down_revision = "0013"

TIME_ENTRIES = """
CREATE TYPE time_entry_work_type AS ENUM ('remote', 'onsite', 'travel', 'project', 'other');
CREATE TABLE time_entries (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    user_id text NOT NULL,
    started_at timestamptz NOT NULL,
    minutes integer NOT NULL,
    billable boolean NOT NULL,
    billable_minutes integer,
    notes text,
    work_type time_entry_work_type NOT NULL,
    invoiced_at timestamptz,
    invoice_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, ticket_id) REFERENCES tickets (workspace_id, id)
);
CREATE INDEX time_entries_created ON time_entries (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX time_entries_ticket ON time_entries (workspace_id, ticket_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX time_entries_user ON time_entries (workspace_id, user_id, started_at, id) WHERE deleted_at IS NULL;
CREATE INDEX time_entries_invoice ON time_entries (workspace_id, invoice_id) WHERE invoice_id IS NOT NULL;
CREATE INDEX time_entries_search ON time_entries USING gin (workspace_id, search gin_trgm_ops)
    WHERE deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(TIME_ENTRIES + schema.tenant_table("time_entries"))
