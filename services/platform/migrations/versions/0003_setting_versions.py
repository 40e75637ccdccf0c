"""Settings, version by version; the service adds to them and can change none."""

from kit import schema

revision = "0003"
down_revision = "0002"

SETTING_VERSIONS = """
CREATE TABLE setting_versions (
    workspace_id text NOT NULL,
    version bigint NOT NULL,
    settings jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    PRIMARY KEY (workspace_id, version)
);
REVOKE UPDATE, DELETE ON setting_versions FROM platform_app;
"""


def upgrade() -> None:
    schema.execute(SETTING_VERSIONS + schema.tenant_table("setting_versions"))
