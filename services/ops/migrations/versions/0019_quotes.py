"""Quotes."""

from kit import schema

revision = "0019"
down_revision = "0018"

QUOTES = """
CREATE TYPE quote_status AS ENUM ('draft', 'sent', 'accepted', 'rejected', 'expired');
CREATE TABLE quotes (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    number bigint NOT NULL,
    client_id uuid NOT NULL,
    status quote_status NOT NULL,
    currency text CHECK (currency IS NOT NULL),
    title text NOT NULL,
    lines jsonb NOT NULL,
    terms text,
    valid_until date,
    subtotal numeric NOT NULL,
    discount_total numeric NOT NULL,
    tax_total numeric NOT NULL,
    total numeric NOT NULL,
    monthly_total numeric NOT NULL,
    yearly_total numeric NOT NULL,
    sent_at timestamptz,
    terms_digest text,
    decided_at timestamptz,
    decided_by text,
    accepted_by text,
    decision_reason text,
    superseded_by_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, client_id) REFERENCES clients (workspace_id, id),
    FOREIGN KEY (workspace_id, superseded_by_id) REFERENCES quotes (workspace_id, id),
    CONSTRAINT quotes_sent CHECK (status = 'draft' OR (terms_digest IS NOT NULL AND valid_until IS NOT NULL))
);
CREATE UNIQUE INDEX quotes_number ON quotes (workspace_id, number);
CREATE INDEX quotes_created ON quotes (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX quotes_status ON quotes (workspace_id, status, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX quotes_client ON quotes (workspace_id, client_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX quotes_search ON quotes USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;
ALTER TABLE invoices ADD FOREIGN KEY (workspace_id, quote_id) REFERENCES quotes (workspace_id, id);
"""

SWEPT = """
GRANT SELECT (workspace_id, status, valid_until, deleted_at) ON quotes TO ops_relay;
CREATE POLICY sweep ON quotes FOR SELECT TO ops_relay USING (true);
CREATE INDEX quotes_swept ON quotes (valid_until, workspace_id) WHERE status = 'sent' AND deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(QUOTES + schema.tenant_table("quotes") + SWEPT)
