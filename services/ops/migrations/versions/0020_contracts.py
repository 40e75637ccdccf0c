"""Contracts."""

from kit import schema

revision = "0020"
down_revision = "0019"

CONTRACTS = """
CREATE TYPE contract_type AS ENUM ('recurring', 'block_hours', 'retainer', 'time_and_materials');
CREATE TYPE contract_status AS ENUM ('draft', 'active', 'suspended', 'expired', 'terminated');
CREATE TYPE contract_billing_period AS ENUM ('monthly', 'quarterly', 'yearly');
CREATE TABLE contracts (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    number bigint NOT NULL,
    client_id uuid NOT NULL,
    name text NOT NULL,
    type contract_type NOT NULL,
    status contract_status NOT NULL,
    starts_on date NOT NULL,
    ends_on date,
    billing_period contract_billing_period NOT NULL,
    currency text CHECK (currency IS NOT NULL),
    lines jsonb NOT NULL,
    included_minutes integer,
    hourly_rate numeric,
    after_hours_rate numeric,
    sla_policy_id uuid,
    auto_renew boolean NOT NULL,
    notice_days integer,
    auto_issue boolean NOT NULL,
    termination_reason text,
    subtotal numeric NOT NULL,
    discount_total numeric NOT NULL,
    tax_total numeric NOT NULL,
    total numeric NOT NULL,
    next_invoice_on date,
    used_minutes integer NOT NULL,
    activated_at timestamptz,
    terminated_at timestamptz,
    renewal_count integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, client_id) REFERENCES clients (workspace_id, id),
    CONSTRAINT contracts_span CHECK (ends_on >= starts_on)
);
CREATE UNIQUE INDEX contracts_number ON contracts (workspace_id, number);
CREATE INDEX contracts_created ON contracts (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX contracts_status ON contracts (workspace_id, status, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX contracts_client ON contracts (workspace_id, client_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX contracts_search ON contracts USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;
ALTER TABLE invoices ADD FOREIGN KEY (workspace_id, contract_id) REFERENCES contracts (workspace_id, id);
"""

SWEPT = """
GRANT SELECT (workspace_id, status, next_invoice_on, ends_on, deleted_at) ON contracts TO ops_relay;
CREATE POLICY sweep ON contracts FOR SELECT TO ops_relay USING (true);
CREATE INDEX contracts_swept ON contracts (next_invoice_on, workspace_id)
    WHERE status = 'active' AND deleted_at IS NULL;
CREATE INDEX contracts_swept_ends ON contracts (ends_on, workspace_id)
    WHERE status IN ('active', 'suspended') AND deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(CONTRACTS + schema.tenant_table("contracts") + SWEPT)
