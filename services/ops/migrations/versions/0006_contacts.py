"""Contacts."""

from kit import schema

revision = "0006"
down_revision = "0005"

CONTACTS = """
CREATE TYPE contact_status AS ENUM ('active', 'archived');
CREATE TABLE contacts (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    client_id uuid NOT NULL,
    name text NOT NULL,
    status contact_status NOT NULL,
    email text,
    phone text,
    mobile text,
    title text,
    department text,
    site_id uuid,
    is_primary boolean NOT NULL,
    is_billing boolean NOT NULL,
    is_technical boolean NOT NULL,
    is_important boolean NOT NULL,
    notes text,
    tags text[] NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    -- What a contact uses refers to it together with its client.
    UNIQUE (workspace_id, client_id, id),
    FOREIGN KEY (workspace_id, client_id) REFERENCES clients (workspace_id, id),
    FOREIGN KEY (workspace_id, client_id, site_id) REFERENCES sites (workspace_id, client_id, id)
);
CREATE UNIQUE INDEX contacts_email ON contacts (workspace_id, client_id, lower(email)) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX contacts_primary ON contacts (workspace_id, client_id) WHERE is_primary AND deleted_at IS NULL;
CREATE INDEX contacts_created ON contacts (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX contacts_client ON contacts (workspace_id, client_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX contacts_site ON contacts (workspace_id, site_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX contacts_of_email ON contacts (workspace_id, email) WHERE deleted_at IS NULL;
CREATE INDEX contacts_search ON contacts USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(CONTACTS + schema.tenant_table("contacts"))
