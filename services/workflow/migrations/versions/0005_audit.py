"""The audit trail: records, which become credentials, and the chains they form."""

from kit import schema

revision = "0005"
down_revision = "0004"

AUDIT = """
CREATE TYPE audit_kind AS ENUM ('execution', 'decision', 'privileged_action');
CREATE TABLE audit_records (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    kind audit_kind NOT NULL,
    subject_id text NOT NULL,
    claims jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    search text NOT NULL,
    -- Once it is sealed: its place in the workspace's chain, and the credential.
    position bigint,
    jwt text,
    digest text,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, position),
    CHECK ((position IS NULL) = (jwt IS NULL) AND (position IS NULL) = (digest IS NULL))
);
CREATE INDEX audit_records_unsealed ON audit_records (workspace_id, sequence) WHERE position IS NULL;
CREATE INDEX audit_records_listed ON audit_records (workspace_id, created_at, id);
CREATE INDEX audit_records_subject ON audit_records (workspace_id, subject_id, created_at);
CREATE FUNCTION audit_records_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a sealed record does not change';
END $$;
CREATE TRIGGER audit_records_stay BEFORE UPDATE ON audit_records FOR EACH ROW
    WHEN (old.position IS NOT NULL) EXECUTE FUNCTION audit_records_stay();

CREATE TABLE audit_chains (
    workspace_id text NOT NULL,
    size bigint NOT NULL,
    frontier bytea[] NOT NULL,
    last_digest text NOT NULL,
    PRIMARY KEY (workspace_id)
);

CREATE TABLE audit_checkpoints (
    workspace_id text NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    issuer text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, size)
);
"""
SEEN_BY_RELAY = """
REVOKE DELETE ON audit_records, audit_chains, audit_checkpoints FROM workflow_app;
REVOKE UPDATE ON audit_checkpoints FROM workflow_app;
GRANT SELECT (workspace_id, position, sequence) ON audit_records TO workflow_relay;
CREATE POLICY relay ON audit_records FOR SELECT TO workflow_relay USING (true);
"""


def upgrade() -> None:
    tables = ("audit_records", "audit_chains", "audit_checkpoints")
    schema.execute(AUDIT + "".join(map(schema.tenant_table, tables)) + SEEN_BY_RELAY)
