"""Sites."""

from kit import schema

revision = "0005"
down_revision = "0004"

SITES = """
CREATE TABLE sites (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    client_id uuid NOT NULL,
    name text NOT NULL,
    address jsonb,
    time_zone text,
    phone text,
    is_primary boolean NOT NULL,
    notes text,
    tags text[] NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    -- What stands at a site refers to it together with its client.
    UNIQUE (workspace_id, client_id, id),
    FOREIGN KEY (workspace_id, client_id) REFERENCES clients (workspace_id, id)
);
CREATE UNIQUE INDEX sites_name ON sites (workspace_id, client_id, lower(name)) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX sites_primary ON sites (workspace_id, client_id) WHERE is_primary AND deleted_at IS NULL;
CREATE INDEX sites_created ON sites (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX sites_client ON sites (workspace_id, client_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX sites_search ON sites USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(SITES + schema.tenant_table("sites"))
