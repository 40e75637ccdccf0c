"""Secrets, encrypted: each version under a data key of its own, each data key under a key-encryption key."""

from kit import schema

revision = "0004"
down_revision = "0003"

SECRETS = """
CREATE TABLE data_keys (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    kek_id text NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX data_keys_kek ON data_keys (workspace_id, kek_id);

CREATE TABLE fingerprint_keys (
    workspace_id text NOT NULL,
    data_key_id uuid NOT NULL,
    PRIMARY KEY (workspace_id),
    FOREIGN KEY (workspace_id, data_key_id) REFERENCES data_keys (workspace_id, id)
);

CREATE TABLE secrets (
    workspace_id text NOT NULL,
    key text NOT NULL,
    version bigint NOT NULL,
    fingerprint text NOT NULL,
    created_at timestamptz NOT NULL,
    rotated_at timestamptz NOT NULL,
    rotated_by text NOT NULL,
    last_used_at timestamptz,
    last_used_by text,
    PRIMARY KEY (workspace_id, key)
);

CREATE TABLE secret_versions (
    workspace_id text NOT NULL,
    key text NOT NULL,
    version bigint NOT NULL,
    data_key_id uuid NOT NULL,
    ciphertext bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, key, version),
    FOREIGN KEY (workspace_id, key) REFERENCES secrets (workspace_id, key),
    FOREIGN KEY (workspace_id, data_key_id) REFERENCES data_keys (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX secret_versions_data_key ON secret_versions (workspace_id, data_key_id);
"""

# The rotation of key-encryption keys must find what is left to do in all workspaces. The relay's role sees which key
# wraps how many data keys, and none of the keys.
SEEN_BY_RELAY = """
GRANT SELECT (workspace_id, kek_id) ON data_keys TO platform_relay;
CREATE POLICY relay ON data_keys FOR SELECT TO platform_relay USING (true);
"""


def upgrade() -> None:
    tables = ("data_keys", "fingerprint_keys", "secrets", "secret_versions")
    schema.execute(SECRETS + "".join(map(schema.tenant_table, tables)) + SEEN_BY_RELAY)
