"""Accounting: what of ours stands in whose books, what the two sides see differently, and the journal."""

from kit import schema

revision = "0006"
down_revision = "0005"

JOBS = """
ALTER TYPE job_type ADD VALUE 'accounting_sync';
ALTER TABLE jobs ADD COLUMN provider text;
-- One sync of a workspace at a time.
CREATE UNIQUE INDEX jobs_one_sync ON jobs (workspace_id) WHERE kind = 'accounting' AND status IN ('queued', 'running');
"""

LINKS = """
CREATE TYPE accounting_kind AS ENUM ('clients', 'invoices', 'incoming', 'payments');
-- `sent`: what the other side was last told, or told us. `incoming` ones came from there.
CREATE TABLE accounting_links (
    workspace_id text NOT NULL,
    provider text NOT NULL,
    kind accounting_kind NOT NULL CHECK (kind <> 'incoming'),
    resource_id uuid NOT NULL,
    external_id text NOT NULL,
    incoming boolean NOT NULL,
    sent jsonb NOT NULL,
    version text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, provider, kind, resource_id)
);
CREATE UNIQUE INDEX accounting_links_external ON accounting_links (workspace_id, provider, kind, external_id);
-- What has changed at ops up to here has gone out; what has changed there since then is still to come in.
CREATE TABLE accounting_cursors (
    workspace_id text NOT NULL,
    provider text NOT NULL,
    kind accounting_kind NOT NULL,
    up_to timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, provider, kind)
);
-- An OAuth refresh token is another after each use. Sealed; of the version of the secret that it began with.
CREATE TABLE accounting_tokens (
    workspace_id text NOT NULL,
    provider text NOT NULL,
    secret_version bigint NOT NULL,
    sealed bytea NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, provider)
);
"""

CONFLICTS = """
CREATE TYPE accounting_conflict_status AS ENUM ('open', 'resolved', 'dismissed');
-- `subject`: what it is about; of each one is open or dismissed at most. `incoming`: the payment that was to come in.
CREATE TABLE accounting_conflicts (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    provider text NOT NULL,
    code text NOT NULL,
    kind accounting_kind NOT NULL,
    subject text NOT NULL,
    resource_id uuid,
    external_id text,
    ours text,
    theirs text,
    message text NOT NULL,
    incoming jsonb,
    status accounting_conflict_status NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    job_id uuid NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX accounting_conflicts_subject ON accounting_conflicts (workspace_id, provider, kind, subject)
    WHERE status <> 'resolved';
CREATE INDEX accounting_conflicts_created ON accounting_conflicts (workspace_id, created_at, id);
"""

JOURNAL = """
CREATE TABLE journal_counters (
    workspace_id text NOT NULL,
    last bigint NOT NULL,
    PRIMARY KEY (workspace_id)
);
-- `event`: of each an entry at most: "issued", "voided", "received", "refunded-1".
CREATE TABLE journal_entries (
    workspace_id text NOT NULL,
    number bigint NOT NULL CHECK (number > 0),
    date date NOT NULL,
    currency text NOT NULL,
    description text NOT NULL,
    client_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    invoice_number text NOT NULL,
    payment_id uuid,
    event text NOT NULL,
    job_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, number)
);
CREATE UNIQUE INDEX journal_entries_event ON journal_entries
    (workspace_id, coalesce(payment_id, invoice_id), event);
CREATE INDEX journal_entries_invoice ON journal_entries (workspace_id, invoice_id);
CREATE INDEX journal_entries_date ON journal_entries (workspace_id, date, number);
CREATE TABLE journal_lines (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    entry_number bigint NOT NULL,
    position integer NOT NULL CHECK (position > 0),
    account text NOT NULL,
    debit numeric NOT NULL CHECK (debit >= 0),
    credit numeric NOT NULL CHECK (credit >= 0),
    tax_percent numeric,
    PRIMARY KEY (workspace_id, entry_number, position),
    FOREIGN KEY (workspace_id, entry_number) REFERENCES journal_entries (workspace_id, number),
    CHECK ((debit > 0) <> (credit > 0))
);
CREATE INDEX journal_lines_account ON journal_lines (workspace_id, account);
"""

# At the end of the transaction each entry balances, and has come next after the one before.
BALANCED = """
CREATE FUNCTION check_journal_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted bigint := CASE TG_TABLE_NAME WHEN 'journal_entries' THEN (to_jsonb(NEW) ->> 'number')::bigint
        ELSE (to_jsonb(NEW) ->> 'entry_number')::bigint END;
    difference numeric;
BEGIN
    SELECT sum(debit) - sum(credit) INTO difference FROM journal_lines
    WHERE workspace_id = NEW.workspace_id AND entry_number = wanted;
    IF difference IS DISTINCT FROM 0 THEN
        RAISE EXCEPTION 'journal entry % does not balance', wanted;
    END IF;
    IF wanted > 1 AND NOT EXISTS (
        SELECT FROM journal_entries WHERE workspace_id = NEW.workspace_id AND number = wanted - 1
    ) THEN
        RAISE EXCEPTION 'journal entry % follows upon none', wanted;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER check_journal_entry AFTER INSERT ON journal_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_journal_entry();
CREATE CONSTRAINT TRIGGER check_journal_line AFTER INSERT ON journal_lines
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_journal_entry();
"""

# What is booked stays as it is: a mistake is reversed by another entry.
KEPT = """
CREATE FUNCTION keep_journal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what is booked in the journal is neither changed nor deleted';
END $$;
CREATE TRIGGER keep_journal BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_entries EXECUTE FUNCTION keep_journal();
CREATE TRIGGER keep_journal BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_lines EXECUTE FUNCTION keep_journal();
REVOKE UPDATE, DELETE ON journal_entries, journal_lines FROM integrations_app;
"""


def upgrade() -> None:
    tables = (
        "accounting_links",
        "accounting_cursors",
        "accounting_tokens",
        "accounting_conflicts",
        "journal_counters",
        "journal_entries",
        "journal_lines",
    )
    tenants = "".join(schema.tenant_table(table) for table in tables)
    schema.execute(JOBS + LINKS + CONFLICTS + JOURNAL + tenants + BALANCED + KEPT)
