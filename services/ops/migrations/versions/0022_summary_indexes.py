"""What summaries read: of what is open the open ones only, of a range what lies in it, and nothing beside the index."""

from kit import schema

revision = "0022"
down_revision = "0021"

# The conditions stand in services/ops/summary/store.py word for word: only then PostgreSQL knows that an index holds
# all that is asked for.
TICKETS = """
CREATE INDEX tickets_open ON tickets (workspace_id, client_id)
    INCLUDE (status, priority, created_at, assignee_id, first_response_due_at, resolution_due_at,
        first_response_breached_at, resolution_breached_at)
    WHERE status NOT IN ('resolved', 'closed') AND deleted_at IS NULL;
CREATE INDEX tickets_resolved ON tickets (workspace_id, resolved_at) INCLUDE (created_at)
    WHERE resolved_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX tickets_first_responded ON tickets (workspace_id, first_responded_at) INCLUDE (created_at)
    WHERE first_responded_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX tickets_first_response_breached ON tickets (workspace_id, first_response_breached_at) INCLUDE (id)
    WHERE first_response_breached_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX tickets_resolution_breached ON tickets (workspace_id, resolution_breached_at) INCLUDE (id)
    WHERE resolution_breached_at IS NOT NULL AND deleted_at IS NULL;
"""
ALERTS = """
CREATE INDEX alerts_raised ON alerts (workspace_id, created_at) INCLUDE (severity) WHERE deleted_at IS NULL;
CREATE INDEX alerts_active ON alerts (workspace_id, status, severity)
    WHERE status IN ('firing', 'acknowledged') AND deleted_at IS NULL;
CREATE INDEX alerts_acknowledged ON alerts (workspace_id, acknowledged_at) INCLUDE (first_seen_at)
    WHERE acknowledged_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX alerts_resolved ON alerts (workspace_id, resolved_at) INCLUDE (first_seen_at)
    WHERE resolved_at IS NOT NULL AND deleted_at IS NULL;
"""
INCIDENTS_AND_CHANGES = """
CREATE INDEX incidents_open ON incidents (workspace_id, started_at, id) INCLUDE (status, severity)
    WHERE status NOT IN ('resolved', 'postmortem') AND deleted_at IS NULL;
CREATE INDEX changes_under_way ON changes (workspace_id, status, planned_start)
    WHERE status NOT IN ('completed', 'failed', 'rolled_back') AND deleted_at IS NULL;
CREATE INDEX changes_ended ON changes (workspace_id, actual_end) INCLUDE (status)
    WHERE actual_end IS NOT NULL AND deleted_at IS NULL;
"""
BILLING = """
CREATE INDEX invoices_open ON invoices (workspace_id, status, currency, due_on) INCLUDE (balance)
    WHERE status NOT IN ('paid', 'void') AND deleted_at IS NULL;
CREATE INDEX quotes_sent ON quotes (workspace_id, valid_until) INCLUDE (currency, total)
    WHERE status = 'sent' AND deleted_at IS NULL;
CREATE INDEX payments_pending ON payments (workspace_id, currency) INCLUDE (amount)
    WHERE status = 'pending' AND deleted_at IS NULL;
CREATE INDEX contracts_ending ON contracts (workspace_id, ends_on) INCLUDE (auto_renew)
    WHERE status IN ('active', 'suspended') AND deleted_at IS NULL;
"""
# An index alone tells only of pages that were vacuumed since they last changed. By default that waits until a fifth of
# the table has changed, with years of closed tickets for months. Until then the newest, which summaries ask for most,
# would be read one by one. A vacuum for so little has little to do.
VACUUM = """
ALTER TABLE tickets SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01);
ALTER TABLE alerts SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01);
"""


def upgrade() -> None:
    schema.execute(TICKETS + ALERTS + INCIDENTS_AND_CHANGES + BILLING + VACUUM)
