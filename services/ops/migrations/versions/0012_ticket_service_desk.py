"""Tickets: contact and site, SLA, links, merges, minutes of work."""

from kit import schema

revision = "0012"
down_revision = "0011"

COLUMNS = """
ALTER TABLE tickets
    ADD COLUMN contact_id uuid,
    ADD COLUMN site_id uuid,
    ADD COLUMN sla_policy_id uuid,
    ADD COLUMN watchers text[] NOT NULL DEFAULT '{}',
    ADD COLUMN first_responded_at timestamptz,
    ADD COLUMN first_response_due_at timestamptz,
    ADD COLUMN resolution_due_at timestamptz,
    ADD COLUMN first_response_breached_at timestamptz,
    ADD COLUMN resolution_breached_at timestamptz,
    ADD COLUMN sla jsonb,
    ADD COLUMN asset_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN alert_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN runbook_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN merged_into_id uuid,
    ADD COLUMN total_minutes integer NOT NULL DEFAULT 0,
    ADD COLUMN billable_minutes integer NOT NULL DEFAULT 0,
    ADD COLUMN status_spans jsonb NOT NULL DEFAULT '[]',
    ADD FOREIGN KEY (workspace_id, sla_policy_id) REFERENCES sla_policies (workspace_id, id),
    ADD FOREIGN KEY (workspace_id, merged_into_id) REFERENCES tickets (workspace_id, id);
CREATE INDEX tickets_sla_policy ON tickets (workspace_id, sla_policy_id)
    WHERE sla_policy_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX tickets_merged_into ON tickets (workspace_id, merged_into_id)
    WHERE merged_into_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX tickets_contact ON tickets (workspace_id, contact_id, created_at, id)
    WHERE contact_id IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX tickets_due ON tickets (workspace_id, resolution_due_at, id)
    WHERE resolution_due_at IS NOT NULL AND deleted_at IS NULL;
"""
# A ticket from before has been in its state since it was created, as far as anyone knows. The table's owner, too, is
# bound by row-level security, unless it says for a moment that it is not.
SPANS = """
ALTER TABLE tickets NO FORCE ROW LEVEL SECURITY;
UPDATE tickets SET status_spans =
    jsonb_build_array(jsonb_build_object('status', status, 'started_at', to_jsonb(created_at)));
ALTER TABLE tickets FORCE ROW LEVEL SECURITY;
"""
# The search for due targets goes over all workspaces, so these two indexes begin with the time. It sees when something
# is due and whose it is, and nothing else.
BREACHES = """
CREATE INDEX tickets_first_response_unbreached ON tickets (first_response_due_at)
    WHERE first_response_due_at IS NOT NULL AND first_response_breached_at IS NULL AND deleted_at IS NULL;
CREATE INDEX tickets_resolution_unbreached ON tickets (resolution_due_at)
    WHERE resolution_due_at IS NOT NULL AND resolution_breached_at IS NULL AND deleted_at IS NULL;
GRANT SELECT (workspace_id, first_response_due_at, first_response_breached_at, resolution_due_at,
    resolution_breached_at, deleted_at) ON tickets TO ops_relay;
CREATE POLICY breaches ON tickets FOR SELECT TO ops_relay USING (true);
"""


def upgrade() -> None:
    schema.execute(COLUMNS + SPANS + BREACHES)
