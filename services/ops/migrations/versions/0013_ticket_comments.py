"""Comments of tickets."""

from kit import schema

revision = "0013"
down_revision = "0012"

TICKET_COMMENTS = """
CREATE TYPE ticket_comment_visibility AS ENUM ('public', 'internal');
CREATE TABLE ticket_comments (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    body text NOT NULL,
    visibility ticket_comment_visibility NOT NULL,
    from_client boolean NOT NULL,
    author text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, ticket_id) REFERENCES tickets (workspace_id, id)
);
CREATE INDEX ticket_comments_listed ON ticket_comments (workspace_id, ticket_id, created_at, id);
REVOKE UPDATE, DELETE ON ticket_comments FROM ops_app;
"""


def upgrade() -> None:
    schema.execute(TICKET_COMMENTS + schema.tenant_table("ticket_comments"))
