"""What was begun at AgentField's control plane, by the try that asked for it; what that control plane offered last."""

from kit import schema

revision = "0005"
down_revision = "0004"

RUNS = """
CREATE TABLE agentfield_runs (
    workspace_id text NOT NULL,
    -- Of the try that asked for it, or that has taken it over since.
    lease uuid NOT NULL,
    execution_id uuid NOT NULL,
    attempt integer NOT NULL,
    -- Its id over there; null from before it is asked for until the answer is written down.
    their_id text,
    target text NOT NULL,
    created_at timestamptz NOT NULL,
    -- When it was known that nothing is left to be ended over there.
    ended_at timestamptz,
    PRIMARY KEY (workspace_id, lease),
    FOREIGN KEY (workspace_id, execution_id, attempt) REFERENCES jobs (workspace_id, execution_id, attempt)
        ON DELETE CASCADE
);
CREATE INDEX agentfield_runs_of_attempt ON agentfield_runs (workspace_id, execution_id, attempt);
CREATE INDEX agentfield_runs_open ON agentfield_runs (created_at) WHERE ended_at IS NULL;
"""

OFFERS = """
CREATE TABLE agentfield_offers (
    workspace_id text NOT NULL,
    capabilities jsonb NOT NULL,
    found_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id)
);
"""

# Whoever ends what nobody waits for has to find it in all workspaces.
SEEN_BY_RELAY = """
GRANT SELECT (workspace_id, lease, execution_id, attempt, their_id, target, created_at, ended_at)
    ON agentfield_runs TO agent_runtime_relay;
CREATE POLICY relay ON agentfield_runs FOR SELECT TO agent_runtime_relay USING (true);
GRANT SELECT (execution_id, attempt) ON jobs TO agent_runtime_relay;
"""


def upgrade() -> None:
    schema.execute(
        RUNS
        + OFFERS
        + SEEN_BY_RELAY
        + schema.tenant_table("agentfield_runs")
        + schema.tenant_table("agentfield_offers")
    )
