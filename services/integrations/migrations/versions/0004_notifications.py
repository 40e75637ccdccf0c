"""Notification channels, rules, and what is told by them."""

from kit import schema

revision = "0004"
down_revision = "0003"

NOTIFICATIONS = """
CREATE TABLE notification_channels (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    secret_key text NOT NULL,
    enabled boolean NOT NULL,
    digest_minutes integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX notification_channels_name ON notification_channels (workspace_id, name) WHERE deleted_at IS NULL;
CREATE INDEX notification_channels_created ON notification_channels (workspace_id, created_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX notification_channels_search ON notification_channels USING gin (workspace_id, search gin_trgm_ops)
    WHERE deleted_at IS NULL;

CREATE TABLE notification_rules (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    enabled boolean NOT NULL,
    topic text NOT NULL,
    filter jsonb NOT NULL,
    channel_id uuid NOT NULL,
    hours jsonb,
    title text,
    body text,
    quiet_minutes integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, channel_id) REFERENCES notification_channels (workspace_id, id)
);
CREATE UNIQUE INDEX notification_rules_name ON notification_rules (workspace_id, name) WHERE deleted_at IS NULL;
CREATE INDEX notification_rules_topic ON notification_rules (workspace_id, topic) WHERE enabled AND deleted_at IS NULL;
CREATE INDEX notification_rules_channel ON notification_rules (workspace_id, channel_id) WHERE deleted_at IS NULL;
CREATE INDEX notification_rules_created ON notification_rules (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX notification_rules_search ON notification_rules USING gin (workspace_id, search gin_trgm_ops)
    WHERE deleted_at IS NULL;

CREATE TYPE notification_state AS ENUM ('waiting', 'sending', 'sent', 'failed');
CREATE TABLE notifications (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    channel_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    topic text NOT NULL,
    event_id text NOT NULL,
    -- What the event is about: its key.
    subject text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    state notification_state NOT NULL,
    repeats integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    problem text,
    -- When it is to be sent; of one that is being sent, when whoever sends it counts as gone.
    due_at timestamptz NOT NULL,
    sent_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, rule_id, event_id),
    FOREIGN KEY (workspace_id, channel_id) REFERENCES notification_channels (workspace_id, id),
    FOREIGN KEY (workspace_id, rule_id) REFERENCES notification_rules (workspace_id, id)
) WITH (fillfactor = 80);
CREATE INDEX notifications_due ON notifications (workspace_id, channel_id, due_at)
    WHERE state IN ('waiting', 'sending');
CREATE INDEX notifications_subject ON notifications (workspace_id, rule_id, subject, created_at);
CREATE INDEX notifications_created ON notifications (workspace_id, created_at, id);
"""

# Whoever sends has to see what is due in all workspaces.
SEEN_BY_RELAY = """
GRANT SELECT (workspace_id, state, due_at, created_at) ON notifications TO integrations_relay;
CREATE POLICY relay ON notifications FOR SELECT TO integrations_relay USING (true);
"""


def upgrade() -> None:
    tables = ("notification_channels", "notification_rules", "notifications")
    schema.execute(NOTIFICATIONS + SEEN_BY_RELAY + "".join(schema.tenant_table(table) for table in tables))
