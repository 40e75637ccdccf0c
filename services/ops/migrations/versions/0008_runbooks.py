"""Runbooks."""

from kit import schema

revision = "0008"
down_revision = "0007"

RUNBOOKS = """
CREATE TYPE runbook_status AS ENUM ('draft', 'in_review', 'published', 'deprecated', 'archived');
CREATE TYPE runbook_role AS ENUM ('ops_engineer', 'automation_operator', 'msp_admin');
CREATE TABLE runbooks (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    title text NOT NULL,
    description text,
    category text,
    status runbook_status NOT NULL,
    steps jsonb NOT NULL,
    inputs jsonb NOT NULL,
    required_role runbook_role NOT NULL,
    tags text[] NOT NULL,
    revision integer NOT NULL,
    published jsonb,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX runbooks_created ON runbooks (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX runbooks_status ON runbooks (workspace_id, status, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX runbooks_search ON runbooks USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(RUNBOOKS + schema.tenant_table("runbooks"))
