"""What is wrong with agents, which of them are silent, and when it was last looked whether they are."""

from kit import schema

revision = "0005"
down_revision = "0004"

CONDITIONS = """
CREATE TYPE condition_kind AS ENUM ('threshold', 'check');
CREATE TYPE condition_state AS ENUM ('pending', 'raised');
CREATE TYPE condition_severity AS ENUM ('info', 'warning', 'high', 'critical');
CREATE TABLE conditions (
    workspace_id text NOT NULL,
    agent_id uuid NOT NULL,
    kind condition_kind NOT NULL,
    name text NOT NULL,
    instance text NOT NULL,
    -- Empty of a check.
    metric text NOT NULL,
    state condition_state NOT NULL,
    severity condition_severity NOT NULL,
    since timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    value double precision,
    failures integer NOT NULL,
    raised_at timestamptz,
    PRIMARY KEY (workspace_id, agent_id, kind, name, instance),
    FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id),
    CHECK ((state = 'raised') = (raised_at IS NOT NULL))
) WITH (fillfactor = 70);
"""

SILENCES = """
-- One for each agent that is offline.
CREATE TABLE silences (
    workspace_id text NOT NULL,
    agent_id uuid NOT NULL,
    -- When it turned offline.
    began_at timestamptz NOT NULL,
    -- When an alert of it is due; null when there is one, or is to be none.
    alert_at timestamptz,
    is_raised boolean NOT NULL DEFAULT false,
    PRIMARY KEY (workspace_id, agent_id),
    FOREIGN KEY (workspace_id, agent_id) REFERENCES agents (workspace_id, id)
);
CREATE INDEX silences_due ON silences (workspace_id, alert_at) WHERE alert_at IS NOT NULL;

-- One for each site, client or workspace most of which went silent at once: a condition that is raised.
CREATE TABLE mass_silences (
    workspace_id text NOT NULL,
    fingerprint text NOT NULL,
    -- Null of the whole workspace.
    client_id uuid,
    -- Null of the whole client.
    site_id uuid,
    -- Agents that turned offline from then until then are not told one by one.
    since_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL,
    raised_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, fingerprint)
);

-- When a sweep for silence was last at work; one row, in the platform's own workspace.
CREATE TABLE silence_sweeps (
    workspace_id text NOT NULL,
    swept_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id)
);
"""

# The sweep for silence has to find in which workspaces there is something to tell.
SEEN_BY_RELAY = """
GRANT SELECT (workspace_id, alert_at) ON silences TO telemetry_relay;
CREATE POLICY relay ON silences FOR SELECT TO telemetry_relay USING (true);
GRANT SELECT (workspace_id) ON mass_silences TO telemetry_relay;
CREATE POLICY relay ON mass_silences FOR SELECT TO telemetry_relay USING (true);
"""


def upgrade() -> None:
    tables = ("conditions", "silences", "mass_silences", "silence_sweeps")
    schema.execute(CONDITIONS + SILENCES + SEEN_BY_RELAY + "".join(map(schema.tenant_table, tables)))
