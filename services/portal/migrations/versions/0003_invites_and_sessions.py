"""Invites and sessions."""

from kit import schema

revision = "0003"
down_revision = "0002"

INVITES = """
CREATE TYPE member_role AS ENUM ('member', 'approver');
CREATE TABLE invites (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    -- SHA-256 of the token, which is stored nowhere.
    hash bytea NOT NULL,
    client_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    role member_role NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX invites_hash ON invites (workspace_id, hash);
CREATE INDEX invites_listed ON invites (workspace_id, created_at, id);
CREATE INDEX invites_contact ON invites (workspace_id, contact_id);
"""
SESSIONS = """
CREATE TABLE sessions (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    invite_id uuid NOT NULL,
    client_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    role member_role NOT NULL,
    expires_at timestamptz NOT NULL,
    idle_until timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, invite_id) REFERENCES invites (workspace_id, id)
);
CREATE INDEX sessions_listed ON sessions (workspace_id, created_at, id);
CREATE INDEX sessions_invite ON sessions (workspace_id, invite_id);
"""


def upgrade() -> None:
    schema.execute(INVITES + schema.tenant_table("invites") + SESSIONS + schema.tenant_table("sessions"))
    schema.execute(schema.client_scope("portal") + schema.client_table("portal", "sessions", rights="SELECT, UPDATE"))
