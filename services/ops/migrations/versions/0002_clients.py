"""Clients."""

from kit import schema

revision = "0002"
down_revision = "0001"

CLIENTS = """
CREATE TYPE client_status AS ENUM ('prospect', 'onboarding', 'active', 'suspended', 'offboarded');
CREATE TABLE clients (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    status client_status NOT NULL,
    abbreviation text,
    industry text,
    website text,
    email text,
    phone text,
    billing_address jsonb,
    currency text,
    payment_terms_days integer,
    hourly_rate numeric,
    tax_id text,
    notes text,
    tags text[] NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX clients_name ON clients (workspace_id, lower(name)) WHERE deleted_at IS NULL;
CREATE INDEX clients_created ON clients (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX clients_search ON clients USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(CLIENTS + schema.tenant_table("clients"))
