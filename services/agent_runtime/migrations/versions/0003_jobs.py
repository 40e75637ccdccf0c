"""Jobs: the runs of executions that are asked for, wait, run, and are done."""

from kit import schema

revision = "0003"
down_revision = "0002"

JOBS = """
CREATE TYPE job_state AS ENUM ('waiting', 'running', 'done', 'dead');
CREATE TYPE job_outcome AS ENUM ('succeeded', 'failed', 'cancelled', 'timed_out');
CREATE TABLE jobs (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    execution_id uuid NOT NULL,
    attempt integer NOT NULL,
    -- Null of one that was cancelled before it was asked for: then it is there to be remembered.
    agent text,
    reasoner text,
    input jsonb NOT NULL,
    deadline_at timestamptz NOT NULL,
    correlation_id text NOT NULL,
    traceparent text,
    state job_state NOT NULL,
    -- How it ended.
    outcome job_outcome,
    reason text,
    tries integer NOT NULL DEFAULT 0,
    -- When it may be begun.
    run_after timestamptz NOT NULL,
    -- While it runs: of this try alone, so that the result of an earlier one is known as such.
    lease uuid,
    lease_until timestamptz,
    worker text,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, execution_id, attempt),
    CHECK ((state = 'running') = (lease IS NOT NULL)),
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('done', 'dead')) = (outcome IS NOT NULL)),
    CHECK ((state IN ('done', 'dead')) = (finished_at IS NOT NULL)),
    CHECK (agent IS NOT NULL AND reasoner IS NOT NULL OR outcome = 'cancelled')
) WITH (fillfactor = 80);
CREATE INDEX jobs_waiting ON jobs (workspace_id, agent, created_at, id) WHERE state = 'waiting';
CREATE INDEX jobs_running ON jobs (workspace_id, agent) WHERE state = 'running';
CREATE INDEX jobs_dead ON jobs (workspace_id, finished_at) WHERE state = 'dead';
CREATE INDEX jobs_done ON jobs (workspace_id, finished_at) WHERE state = 'done';
"""

# Whoever hands out work has to see what waits in all workspaces, and who goes on working on it.
SEEN_BY_RELAY = """
GRANT SELECT (workspace_id, id, agent, state, run_after, deadline_at, lease, lease_until, created_at, finished_at)
    ON jobs TO agent_runtime_relay;
GRANT UPDATE (lease_until) ON jobs TO agent_runtime_relay;
CREATE POLICY relay ON jobs FOR SELECT TO agent_runtime_relay USING (true);
CREATE POLICY relay_leases ON jobs FOR UPDATE TO agent_runtime_relay
    USING (state = 'running') WITH CHECK (state = 'running');
"""


def upgrade() -> None:
    schema.execute(JOBS + SEEN_BY_RELAY + schema.tenant_table("jobs"))
