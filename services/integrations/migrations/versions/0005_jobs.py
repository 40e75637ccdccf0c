"""Uploads, jobs (imports and exports), what they leave, and the ids that rows have where they come from."""

from kit import schema

revision = "0005"
down_revision = "0004"

UPLOADS = """
CREATE TABLE uploads (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    size bigint NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    extended_at timestamptz NOT NULL,
    -- Whether an import reads it: then nothing is added to it any more.
    used boolean NOT NULL DEFAULT false,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX uploads_unused ON uploads (workspace_id, extended_at) WHERE NOT used;
CREATE TABLE upload_parts (
    workspace_id text NOT NULL,
    upload_id uuid NOT NULL,
    start bigint NOT NULL,
    size bigint NOT NULL,
    digest text NOT NULL,
    -- Where it lies in the object store.
    path text NOT NULL,
    PRIMARY KEY (workspace_id, upload_id, start),
    FOREIGN KEY (workspace_id, upload_id) REFERENCES uploads (workspace_id, id) ON DELETE CASCADE
);
"""

JOBS = """
CREATE TYPE job_type AS ENUM ('import', 'export');
CREATE TYPE job_format AS ENUM ('csv', 'jsonl');
CREATE TYPE job_status AS ENUM ('queued', 'running', 'succeeded', 'failed', 'cancelled');
CREATE TABLE jobs (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    type job_type NOT NULL,
    kind text NOT NULL,
    format job_format NOT NULL,
    status job_status NOT NULL DEFAULT 'queued',
    upload_id uuid,
    mapping jsonb NOT NULL DEFAULT '[]',
    external_id_column text,
    dry_run boolean NOT NULL DEFAULT false,
    q text,
    rows_done bigint NOT NULL DEFAULT 0,
    rows_total bigint,
    rows_failed bigint NOT NULL DEFAULT 0,
    rows_created bigint NOT NULL DEFAULT 0,
    rows_updated bigint NOT NULL DEFAULT 0,
    retry_count integer NOT NULL DEFAULT 0,
    error_code text,
    error_message text,
    cancel_requested boolean NOT NULL DEFAULT false,
    -- How far it is.
    progress jsonb NOT NULL DEFAULT '{}',
    -- Of an import: since when the next rows are being sent, and the external ids that were known then.
    sending jsonb,
    -- How often it was begun since it last got on.
    tries integer NOT NULL DEFAULT 0,
    lease uuid,
    lease_until timestamptz,
    artifact_parts integer NOT NULL DEFAULT 0,
    -- Bytes in the last of them.
    artifact_filled bigint NOT NULL DEFAULT 0,
    correlation_id text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    queued_at timestamptz NOT NULL,
    started_at timestamptz,
    completed_at timestamptz,
    PRIMARY KEY (workspace_id, id)
) WITH (fillfactor = 70);
CREATE INDEX jobs_created ON jobs (workspace_id, created_at, id);
CREATE INDEX jobs_open ON jobs (workspace_id, queued_at) WHERE status IN ('queued', 'running');
-- An artifact's part is put together of these pieces, each an object of its own.
CREATE TABLE job_artifact_pieces (
    workspace_id text NOT NULL,
    job_id uuid NOT NULL,
    part integer NOT NULL,
    number integer NOT NULL,
    path text NOT NULL,
    PRIMARY KEY (workspace_id, job_id, part, number),
    FOREIGN KEY (workspace_id, job_id) REFERENCES jobs (workspace_id, id)
);
CREATE TABLE external_ids (
    workspace_id text NOT NULL,
    kind text NOT NULL,
    external_id text NOT NULL,
    resource_id uuid NOT NULL,
    job_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, kind, external_id)
);
"""

# Who looks for work has to see what there is in all workspaces.
SEEN_BY_RELAY = """
GRANT SELECT (workspace_id, extended_at, used) ON uploads TO integrations_relay;
CREATE POLICY relay ON uploads FOR SELECT TO integrations_relay USING (true);
GRANT SELECT (workspace_id, id, status, queued_at, lease_until) ON jobs TO integrations_relay;
CREATE POLICY relay ON jobs FOR SELECT TO integrations_relay USING (true);
"""


def upgrade() -> None:
    tables = ("uploads", "upload_parts", "jobs", "job_artifact_pieces", "external_ids")
    schema.execute(UPLOADS + JOBS + SEEN_BY_RELAY + "".join(schema.tenant_table(table) for table in tables))
