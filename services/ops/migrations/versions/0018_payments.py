"""Payments; what keeps one that has succeeded as it is."""

from kit import schema

revision = "0018"
down_revision = "0017"

PAYMENTS = """
CREATE TYPE payment_status AS ENUM ('pending', 'succeeded', 'failed', 'refunded');
CREATE TYPE payment_method AS ENUM ('bank_transfer', 'card', 'cash', 'cheque', 'direct_debit', 'other');
CREATE TABLE payments (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    amount numeric NOT NULL CHECK (amount > 0),
    currency text CHECK (currency IS NOT NULL),
    status payment_status NOT NULL,
    method payment_method NOT NULL,
    reference text,
    provider text,
    provider_payment_id text,
    received_on date,
    failure_reason text,
    client_id uuid NOT NULL,
    succeeded_at timestamptz,
    amount_refunded numeric NOT NULL CHECK (amount_refunded BETWEEN 0 AND amount),
    refunds jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, invoice_id) REFERENCES invoices (workspace_id, id),
    FOREIGN KEY (workspace_id, client_id) REFERENCES clients (workspace_id, id),
    CONSTRAINT payments_provider CHECK ((provider IS NULL) = (provider_payment_id IS NULL)),
    CONSTRAINT payments_refunded CHECK ((status = 'refunded') = (amount_refunded = amount))
);
CREATE UNIQUE INDEX payments_of_provider ON payments (workspace_id, provider, provider_payment_id)
    WHERE deleted_at IS NULL;
CREATE INDEX payments_created ON payments (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX payments_invoice ON payments (workspace_id, invoice_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX payments_client ON payments (workspace_id, client_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX payments_status ON payments (workspace_id, status, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX payments_search ON payments USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;
"""

IMMUTABLE = """
CREATE FUNCTION keep_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status NOT IN ('succeeded', 'refunded') THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'DELETE' OR NEW.deleted_at IS NOT NULL THEN
        RAISE EXCEPTION 'payment % has succeeded and cannot be deleted', OLD.id;
    END IF;
    IF NEW.status NOT IN ('succeeded', 'refunded') OR NEW.amount_refunded < OLD.amount_refunded
        OR jsonb_array_length(NEW.refunds) < jsonb_array_length(OLD.refunds) OR NOT NEW.refunds @> OLD.refunds
        OR (NEW.amount, NEW.currency, NEW.invoice_id, NEW.client_id)
        IS DISTINCT FROM (OLD.amount, OLD.currency, OLD.invoice_id, OLD.client_id)
    THEN
        RAISE EXCEPTION 'payment % has succeeded and keeps its amounts', OLD.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_payment BEFORE UPDATE OR DELETE ON payments FOR EACH ROW EXECUTE FUNCTION keep_payment();
"""


def upgrade() -> None:
    schema.execute(PAYMENTS + schema.tenant_table("payments") + IMMUTABLE)
