"""Invoices; the counter of their numbers; what keeps an issued one as it is."""

from kit import schema

revision = "0017"
down_revision = "0016"

INVOICES = """
CREATE TYPE invoice_status AS ENUM ('draft', 'issued', 'partially_paid', 'paid', 'overdue', 'void');
CREATE TABLE invoices (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    number text,
    client_id uuid NOT NULL,
    status invoice_status NOT NULL,
    currency text CHECK (currency IS NOT NULL),
    lines jsonb NOT NULL,
    notes text,
    terms text,
    due_on date,
    void_reason text,
    issued_on date,
    issued_at timestamptz,
    subtotal numeric NOT NULL,
    discount_total numeric NOT NULL,
    tax_total numeric NOT NULL,
    total numeric NOT NULL,
    amount_paid numeric NOT NULL,
    balance numeric NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    overdue_since date,
    voided_at timestamptz,
    replaces_invoice_id uuid,
    quote_id uuid,
    contract_id uuid,
    period_start date,
    period_end date,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, client_id) REFERENCES clients (workspace_id, id),
    FOREIGN KEY (workspace_id, replaces_invoice_id) REFERENCES invoices (workspace_id, id),
    CONSTRAINT invoices_totals CHECK (
        total = subtotal - discount_total + tax_total AND subtotal >= discount_total AND discount_total >= 0
        AND tax_total >= 0
    ),
    CONSTRAINT invoices_books CHECK (
        amount_paid >= 0 AND balance >= 0
        AND CASE WHEN status = 'void' THEN amount_paid = 0 AND balance = 0 ELSE amount_paid + balance = total END
    ),
    CONSTRAINT invoices_numbered CHECK (
        CASE status WHEN 'draft' THEN number IS NULL WHEN 'void' THEN true
        ELSE number IS NOT NULL AND due_on IS NOT NULL END
    )
);
CREATE UNIQUE INDEX invoices_number ON invoices (workspace_id, number);
-- Once, whatever becomes of the invoice; an invoice that is issued anew keeps where its original came from.
CREATE UNIQUE INDEX invoices_quote ON invoices (workspace_id, quote_id) WHERE replaces_invoice_id IS NULL;
CREATE UNIQUE INDEX invoices_period ON invoices (workspace_id, contract_id, period_start)
    WHERE replaces_invoice_id IS NULL;
CREATE UNIQUE INDEX invoices_replaced ON invoices (workspace_id, replaces_invoice_id);
CREATE INDEX invoices_created ON invoices (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX invoices_status ON invoices (workspace_id, status, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX invoices_client ON invoices (workspace_id, client_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX invoices_due ON invoices (workspace_id, due_on, id) WHERE deleted_at IS NULL;
CREATE INDEX invoices_search ON invoices USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;
"""

# A row, not a sequence: it is locked until the invoice is committed, and goes back when that is undone.
COUNTERS = """
CREATE TABLE invoice_counters (
    workspace_id text NOT NULL,
    last bigint NOT NULL,
    PRIMARY KEY (workspace_id)
);
"""

IMMUTABLE = """
CREATE FUNCTION keep_issued_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.number IS NOT NULL THEN
            RAISE EXCEPTION 'invoice % has a number and cannot be deleted', OLD.number;
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.number IS NOT NULL AND NEW.deleted_at IS NOT NULL THEN
        RAISE EXCEPTION 'invoice % has a number and cannot be deleted', OLD.number;
    END IF;
    IF OLD.status <> 'draft' AND (
        NEW.status = 'draft' OR (OLD.status = 'void' AND NEW.status <> 'void')
        OR (NEW.lines, NEW.subtotal, NEW.discount_total, NEW.tax_total, NEW.total, NEW.currency, NEW.client_id,
            NEW.number, NEW.issued_on, NEW.issued_at, NEW.due_on, NEW.notes, NEW.terms, NEW.quote_id, NEW.contract_id,
            NEW.period_start, NEW.replaces_invoice_id)
        IS DISTINCT FROM
           (OLD.lines, OLD.subtotal, OLD.discount_total, OLD.tax_total, OLD.total, OLD.currency, OLD.client_id,
            OLD.number, OLD.issued_on, OLD.issued_at, OLD.due_on, OLD.notes, OLD.terms, OLD.quote_id, OLD.contract_id,
            OLD.period_start, OLD.replaces_invoice_id)
    ) THEN
        RAISE EXCEPTION 'invoice % is issued and no longer changes', OLD.number;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_issued_invoice BEFORE UPDATE OR DELETE ON invoices
    FOR EACH ROW EXECUTE FUNCTION keep_issued_invoice();
"""

# The sweep asks, for all workspaces, which have something due; no more than that.
SWEPT = """
GRANT SELECT (workspace_id, status, due_on, balance, overdue_since, deleted_at) ON invoices TO ops_relay;
CREATE POLICY sweep ON invoices FOR SELECT TO ops_relay USING (true);
CREATE INDEX invoices_swept ON invoices (due_on, workspace_id)
    WHERE status IN ('issued', 'partially_paid') AND overdue_since IS NULL AND balance > 0 AND deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(INVOICES + schema.tenant_table("invoices"))
    schema.execute(COUNTERS + schema.tenant_table("invoice_counters"))
    schema.execute(IMMUTABLE + SWEPT)
