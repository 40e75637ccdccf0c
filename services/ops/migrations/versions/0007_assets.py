"""Assets."""

from kit import schema

revision = "0007"
down_revision = "0006"

ASSETS = """
CREATE TYPE asset_status AS ENUM ('unknown', 'online', 'degraded', 'offline', 'retired');
CREATE TYPE asset_lifecycle AS ENUM ('ordered', 'in_stock', 'deployed', 'maintenance', 'retired', 'disposed');
CREATE TYPE asset_type AS ENUM (
    'workstation', 'laptop', 'server', 'network_device', 'printer', 'mobile', 'virtual_machine', 'cloud_resource',
    'software', 'other'
);
CREATE TABLE assets (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    client_id uuid NOT NULL,
    name text NOT NULL,
    status asset_status NOT NULL,
    lifecycle asset_lifecycle NOT NULL,
    type asset_type NOT NULL,
    site_id uuid,
    contact_id uuid,
    manufacturer text,
    model text,
    serial_number text,
    asset_tag text,
    hostname text,
    operating_system text,
    ip_address text,
    mac_address text,
    agent_id text,
    purchase_date date,
    warranty_expires_on date,
    vendor text,
    maintenance_mode boolean NOT NULL,
    notes text,
    tags text[] NOT NULL,
    last_seen_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, client_id) REFERENCES clients (workspace_id, id),
    FOREIGN KEY (workspace_id, client_id, site_id) REFERENCES sites (workspace_id, client_id, id),
    FOREIGN KEY (workspace_id, client_id, contact_id) REFERENCES contacts (workspace_id, client_id, id)
);
CREATE UNIQUE INDEX assets_serial_number ON assets (workspace_id, client_id, lower(serial_number))
    WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX assets_agent ON assets (workspace_id, agent_id) WHERE deleted_at IS NULL;
CREATE INDEX assets_created ON assets (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX assets_client ON assets (workspace_id, client_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX assets_status ON assets (workspace_id, status, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX assets_site ON assets (workspace_id, site_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX assets_contact ON assets (workspace_id, contact_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX assets_search ON assets USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(ASSETS + schema.tenant_table("assets"))
