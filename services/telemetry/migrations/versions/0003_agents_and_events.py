"""Enrollment tokens, agents, and what they send."""

from kit import schema

revision = "0003"
down_revision = "0002"

AGENTS = """
CREATE TABLE enrollment_tokens (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    hash bytea NOT NULL,
    client_id uuid NOT NULL,
    site_id uuid,
    uses integer NOT NULL DEFAULT 0,
    most_uses integer,
    expires_at timestamptz NOT NULL,
    is_superseded boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    last_used_at timestamptz,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, hash),
    CHECK (uses <= most_uses)
);
CREATE INDEX enrollment_tokens_created ON enrollment_tokens (workspace_id, created_at);

CREATE TYPE agent_state AS ENUM ('active', 'revoked');
CREATE TYPE agent_connectivity AS ENUM ('pending', 'online', 'offline');
CREATE TYPE asset_status AS ENUM ('online', 'degraded', 'offline');
-- A row changes with each of the agent's batches. Room is left in its page, and no column that changes so is indexed:
-- then no index has to be written (heap-only tuples).
CREATE TABLE agents (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    -- Stands for the agent in the rows of its events.
    number bigint GENERATED ALWAYS AS IDENTITY,
    public_key text NOT NULL,
    hardware_id text,
    hostname text NOT NULL,
    operating_system text,
    agent_version text,
    client_id uuid NOT NULL,
    site_id uuid,
    enrollment_token_id uuid NOT NULL,
    state agent_state NOT NULL DEFAULT 'active',
    revoked_at timestamptz,
    revoked_reason text,
    connectivity agent_connectivity NOT NULL DEFAULT 'pending',
    last_seen_at timestamptz,
    -- When it counts as offline unless it is heard of before; as long as it is online.
    silent_at timestamptz,
    clock_skew_seconds double precision,
    lag_seconds double precision,
    batches bigint NOT NULL DEFAULT 0,
    events_accepted bigint NOT NULL DEFAULT 0,
    events_rejected bigint NOT NULL DEFAULT 0,
    events_per_minute double precision NOT NULL DEFAULT 0,
    -- Rows in `conditions`, and those of them that are raised.
    watched integer NOT NULL DEFAULT 0,
    conditions integer NOT NULL DEFAULT 0,
    -- What ops was last told.
    asset_status asset_status,
    inventory_digest bytea,
    created_at timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, public_key)
) WITH (fillfactor = 60);
CREATE INDEX agents_created ON agents (workspace_id, created_at, id);
CREATE INDEX agents_client ON agents (workspace_id, client_id, site_id);
CREATE INDEX agents_hardware ON agents (workspace_id, client_id, hardware_id) WHERE state = 'active';
"""

# The sweep for silence has to find in which workspaces an agent has become silent.
SEEN_BY_RELAY = """
GRANT SELECT (workspace_id, state, connectivity, silent_at) ON agents TO telemetry_relay;
CREATE POLICY relay ON agents FOR SELECT TO telemetry_relay USING (true);
"""

# COPY does not work under row-level security. So events are copied straight into the partition of the day: there the
# service may insert, in the transaction's workspace alone, and neither read nor change anything. They are read through
# the parent, under row-level security.
EVENTS = """
CREATE TYPE event_kind AS ENUM ('metric', 'heartbeat', 'log', 'check', 'inventory');
CREATE TABLE events (
    workspace_id text NOT NULL,
    agent bigint NOT NULL,
    kind event_kind NOT NULL,
    name text NOT NULL,
    instance text NOT NULL,
    value double precision,
    -- What else the event says, as JSON.
    body text,
    observed_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX events_agent ON events (workspace_id, agent, observed_at);

CREATE TYPE batch_format AS ENUM ('json', 'ndjson', 'otlp_logs', 'otlp_metrics');
CREATE TABLE ingest_batches (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    agent_id uuid NOT NULL,
    format batch_format NOT NULL,
    accepted integer NOT NULL,
    rejected integer NOT NULL,
    bytes integer NOT NULL,
    errors jsonb,
    first_observed_at timestamptz,
    last_observed_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, created_at, id)
) PARTITION BY RANGE (created_at);
CREATE INDEX ingest_batches_agent ON ingest_batches (workspace_id, agent_id, created_at);

CREATE FUNCTION set_up_partition(parent text, leaf text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_catalog AS $$
BEGIN
    IF parent = 'events' THEN
        EXECUTE format('GRANT INSERT ON partitions.%I TO telemetry_app', leaf);
        -- Not checked for rows that are there already, so that a backup can be restored.
        EXECUTE format(
            'ALTER TABLE partitions.%I ADD CONSTRAINT own_workspace '
            'CHECK (workspace_id = current_setting(''opsfield.workspace_id'', true)) NOT VALID',
            leaf
        );
    END IF;
END $$;
"""
GRANTS = """
GRANT USAGE ON SCHEMA partitions TO telemetry_app;
REVOKE INSERT, UPDATE, DELETE ON events FROM telemetry_app;
REVOKE UPDATE, DELETE ON ingest_batches FROM telemetry_app;
SELECT make_partition(parent, (now() AT TIME ZONE 'UTC')::date + ahead)
FROM unnest(ARRAY['events', 'ingest_batches']) AS parent, generate_series(0, 2) AS ahead;
"""


def upgrade() -> None:
    tables = ("enrollment_tokens", "agents", "events", "ingest_batches")
    schema.execute(
        AGENTS
        + SEEN_BY_RELAY
        + EVENTS
        + schema.partitions("telemetry")
        + GRANTS
        + "".join(map(schema.tenant_table, tables))
    )
