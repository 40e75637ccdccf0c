"""Alerts of tickets that were merged belong to the tickets that stayed."""

from kit import schema

revision = "0027"
down_revision = "0026"

# The tables' owner, too, is bound by row-level security, unless it says for a moment that it is not. Alerts are locked
# before tickets, as linking them does.
MOVE = """
ALTER TABLE alerts NO FORCE ROW LEVEL SECURITY;
ALTER TABLE tickets NO FORCE ROW LEVEL SECURITY;
WITH RECURSIVE merged (workspace_id, id, into_id) AS (
    SELECT workspace_id, id, merged_into_id FROM tickets WHERE merged_into_id IS NOT NULL AND deleted_at IS NULL
    UNION ALL
    SELECT merged.workspace_id, merged.id, tickets.merged_into_id
    FROM merged JOIN tickets ON tickets.workspace_id = merged.workspace_id AND tickets.id = merged.into_id
    WHERE tickets.merged_into_id IS NOT NULL
)
UPDATE alerts SET ticket_id = stayed.id, version = alerts.version + 1, updated_at = now(),
    search = replace(alerts.search, merged.id::text, stayed.id::text)
FROM merged JOIN tickets AS stayed ON stayed.workspace_id = merged.workspace_id AND stayed.id = merged.into_id
WHERE alerts.workspace_id = merged.workspace_id AND alerts.ticket_id = merged.id AND alerts.deleted_at IS NULL
    AND stayed.merged_into_id IS NULL;
ALTER TABLE alerts FORCE ROW LEVEL SECURITY;
ALTER TABLE tickets FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    schema.execute(MOVE)
