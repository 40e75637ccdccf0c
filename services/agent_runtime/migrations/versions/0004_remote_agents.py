"""Agents that run elsewhere: their keys, the nodes that they register, and each run that a node was given."""

from kit import schema

revision = "0004"
down_revision = "0003"

TABLES = """
CREATE TABLE agent_keys (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    hash bytea NOT NULL,
    name text NOT NULL,
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz,
    revoked_reason text,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, hash)
) WITH (fillfactor = 80);

CREATE TYPE node_state AS ENUM ('present', 'left');
CREATE TABLE nodes (
    workspace_id text NOT NULL,
    name text NOT NULL,
    agent_key_id uuid NOT NULL,
    -- Of the process: another one after a restart.
    instance_id text NOT NULL,
    base_url text NOT NULL,
    version text NOT NULL,
    -- Its reasoners and skills, as nodes/wire.py reads them.
    offers jsonb NOT NULL,
    state node_state NOT NULL,
    -- By the database's clock, as leases are.
    last_heard_at timestamptz NOT NULL,
    -- Of one that has left: when what it runs is lost.
    leaves_at timestamptz,
    -- A call found nobody; until it is heard of again.
    is_unreachable boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, name),
    FOREIGN KEY (workspace_id, agent_key_id) REFERENCES agent_keys (workspace_id, id),
    CHECK ((state = 'left') = (leaves_at IS NOT NULL))
) WITH (fillfactor = 50);
CREATE INDEX nodes_of_key ON nodes (workspace_id, agent_key_id);

CREATE TYPE remote_status AS ENUM ('succeeded', 'failed', 'cancelled', 'timeout', 'lost');
CREATE TABLE remote_runs (
    workspace_id text NOT NULL,
    -- Of the job's try: what the node knows the run by.
    lease uuid NOT NULL,
    job_id uuid NOT NULL,
    node text NOT NULL,
    agent_key_id uuid NOT NULL,
    instance_id text NOT NULL,
    version text NOT NULL,
    -- The schema that its result keeps to; null where there is none that can be used.
    result_schema jsonb,
    -- When the node said that it would call back.
    acknowledged_at timestamptz,
    -- How it ended, where the node told it or was lost; what it answers to the call itself does not stand here.
    status remote_status,
    started_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, lease),
    FOREIGN KEY (workspace_id, job_id) REFERENCES jobs (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX remote_runs_of_job ON remote_runs (workspace_id, job_id);
"""

# Whoever hands out work has to see which nodes of all workspaces could take it, and which are silent.
SEEN_BY_RELAY = """
GRANT SELECT (workspace_id, name, state, last_heard_at, leaves_at, is_unreachable) ON nodes TO agent_runtime_relay;
CREATE POLICY relay ON nodes FOR SELECT TO agent_runtime_relay USING (true);
"""


def upgrade() -> None:
    schema.execute(
        TABLES + SEEN_BY_RELAY + "".join(schema.tenant_table(name) for name in ("agent_keys", "nodes", "remote_runs"))
    )
