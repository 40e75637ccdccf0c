"""Executions, and what they were given and gave: artifacts, known by their content."""

from kit import schema

revision = "0003"
down_revision = "0002"

ARTIFACTS = """
CREATE TABLE artifacts (
    workspace_id text NOT NULL,
    -- SHA-256 of `data`, in hexadecimal.
    digest text NOT NULL,
    media_type text NOT NULL,
    data bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, digest)
);
REVOKE UPDATE, DELETE ON artifacts FROM workflow_app;
"""

EXECUTIONS = """
CREATE TYPE execution_status AS ENUM (
    'queued', 'running', 'approval_required', 'succeeded', 'failed', 'cancelled', 'timed_out'
);
CREATE TYPE execution_failure_code AS ENUM (
    'reasoner_error', 'output_invalid', 'out_of_memory', 'worker_lost', 'deadline_exceeded', 'reasoner_unknown',
    'data_unavailable', 'proposal_failed', 'proposal_rejected', 'cancelled_by_caller', 'engine_unreachable'
);
CREATE TABLE executions (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    agent text NOT NULL,
    reasoner text NOT NULL,
    status execution_status NOT NULL,
    input_ref text NOT NULL,
    output_ref text,
    evidence_ref text,
    failure_code execution_failure_code,
    failure_detail text,
    -- Grows with each retry by a caller; the runtime's own further tries of one attempt are `tries`.
    attempt integer NOT NULL,
    tries integer NOT NULL,
    retry_count integer NOT NULL,
    duration_ms bigint,
    -- How long an attempt may take, queueing included.
    deadline_seconds integer NOT NULL,
    deadline_at timestamptz NOT NULL,
    -- The deadline for as long as the runtime owes its report; null from then on.
    times_out_at timestamptz,
    -- Of this attempt.
    queued_at timestamptz NOT NULL,
    started_at timestamptz,
    completed_at timestamptz,
    proposals jsonb NOT NULL,
    proposals_digest text,
    decision jsonb,
    -- When its approved proposals are to be done next; null where there is nothing to do.
    applies_at timestamptz,
    apply_tries integer NOT NULL,
    trigger_id uuid,
    trigger_event_id text,
    causation_depth integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, input_ref) REFERENCES artifacts (workspace_id, digest),
    FOREIGN KEY (workspace_id, output_ref) REFERENCES artifacts (workspace_id, digest),
    FOREIGN KEY (workspace_id, evidence_ref) REFERENCES artifacts (workspace_id, digest),
    CHECK (times_out_at IS NULL OR status IN ('queued', 'running')),
    CHECK (applies_at IS NULL OR (status = 'running' AND decision IS NOT NULL))
) WITH (fillfactor = 80);
-- What lists are sorted by, and all that the summary of a range reads.
CREATE INDEX executions_created ON executions (workspace_id, created_at, id)
    INCLUDE (status, agent, failure_code);
CREATE INDEX executions_queued ON executions (workspace_id, queued_at) WHERE status = 'queued';
CREATE INDEX executions_deciding ON executions (workspace_id, created_at, id) WHERE status = 'approval_required';
CREATE INDEX executions_triggered ON executions (workspace_id, trigger_id, created_at) WHERE trigger_id IS NOT NULL;
CREATE INDEX executions_search ON executions USING gin (workspace_id, search gin_trgm_ops);
-- Read across workspaces, by the sweeps.
CREATE INDEX executions_timing_out ON executions (times_out_at) WHERE times_out_at IS NOT NULL;
CREATE INDEX executions_applying ON executions (applies_at) WHERE applies_at IS NOT NULL;
"""

# Sweeps have to find in which workspaces a deadline has passed, or approved proposals are to be done.
SEEN_BY_RELAY = """
GRANT SELECT (workspace_id, times_out_at, applies_at) ON executions TO workflow_relay;
CREATE POLICY sweep ON executions FOR SELECT TO workflow_relay USING (true);
"""


def upgrade() -> None:
    schema.execute(
        ARTIFACTS + EXECUTIONS + SEEN_BY_RELAY + schema.tenant_table("artifacts") + schema.tenant_table("executions")
    )
