"""What the people of a client may see and do, in the role that the service takes on for them: their client's rows, and
of the kinds that they have to do with alone. The role has no rights on any other table."""

from kit import schema
from kit.schema import OWN_ROWS, SESSION_CLIENT

revision = "0024"
down_revision = "0023"

# The right to update a column is what holding a row takes (FOR SHARE): here one that says nothing.
HOLD = "SELECT, UPDATE (updated_at)"

PUBLISHED = f"""
    published IS NOT NULL AND status <> 'archived' AND deleted_at IS NULL
    AND (visibility = 'all_clients' OR (visibility = 'one_client' AND {OWN_ROWS}))
"""
# Tickets in a condition are those that the role may see, so the client's.
COMMENTS = """
    visibility = 'public' AND EXISTS (
        SELECT FROM tickets WHERE tickets.workspace_id = ticket_comments.workspace_id AND tickets.id = ticket_id
    )
"""
# What the client was promised: the provider's general policies, its own, and those its tickets are bound to.
POLICIES = f"""
    client_id IS NULL OR {OWN_ROWS} OR EXISTS (
        SELECT FROM tickets WHERE tickets.workspace_id = sla_policies.workspace_id AND sla_policy_id = sla_policies.id
    )
"""
VERSIONS = """
    EXISTS (
        SELECT FROM sla_policies
        WHERE sla_policies.workspace_id = sla_policy_versions.workspace_id AND sla_policies.id = policy_id
    )
"""

TABLES = (
    ("clients", HOLD, f"id = {SESSION_CLIENT}"),
    ("contacts", HOLD, OWN_ROWS),
    ("tickets", "SELECT, INSERT, UPDATE", OWN_ROWS),
    ("ticket_comments", "SELECT, INSERT", COMMENTS),
    ("sla_policies", HOLD, POLICIES),
    ("sla_policy_versions", "SELECT, INSERT", VERSIONS),
    ("knowledge_articles", "SELECT", PUBLISHED),
    ("changes", "SELECT", f"{OWN_ROWS} AND status <> 'draft'"),
    ("quotes", "SELECT, UPDATE", f"{OWN_ROWS} AND status <> 'draft'"),
    # An accepted quote makes a draft.
    ("invoices", "SELECT, INSERT, UPDATE", OWN_ROWS),
    ("payments", "SELECT, INSERT, UPDATE", OWN_ROWS),
)


def upgrade() -> None:
    schema.execute(
        schema.client_scope("ops")
        + "".join(schema.client_table("ops", table, rights=rights, rows=rows) for table, rights, rows in TABLES)
        + "GRANT EXECUTE ON FUNCTION next_number(text) TO ops_client;"
    )
