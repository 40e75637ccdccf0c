"""Knowledge articles."""

from kit import schema

revision = "0009"
down_revision = "0008"

KNOWLEDGE_ARTICLES = """
CREATE TYPE knowledge_article_status AS ENUM ('draft', 'published', 'archived');
CREATE TYPE knowledge_article_visibility AS ENUM ('internal', 'all_clients', 'one_client');
CREATE TABLE knowledge_articles (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    slug text NOT NULL,
    status knowledge_article_status NOT NULL,
    visibility knowledge_article_visibility NOT NULL,
    client_id uuid,
    category text,
    tags text[] NOT NULL,
    review_due_on date,
    published_at timestamptz,
    published_by text,
    published jsonb,
    helpful_count integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz,
    search text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, client_id) REFERENCES clients (workspace_id, id),
    CHECK ((visibility = 'one_client') = (client_id IS NOT NULL))
);
CREATE UNIQUE INDEX knowledge_articles_slug ON knowledge_articles (workspace_id, slug) WHERE deleted_at IS NULL;
CREATE INDEX knowledge_articles_created ON knowledge_articles (workspace_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX knowledge_articles_status ON knowledge_articles (workspace_id, status, created_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX knowledge_articles_client ON knowledge_articles (workspace_id, client_id, created_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX knowledge_articles_search ON knowledge_articles USING gin (workspace_id, search gin_trgm_ops)
    WHERE deleted_at IS NULL;
"""


def upgrade() -> None:
    schema.execute(KNOWLEDGE_ARTICLES + schema.tenant_table("knowledge_articles"))
