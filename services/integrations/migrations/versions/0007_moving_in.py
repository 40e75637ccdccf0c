"""Parquet; what an import takes from a profile; files that are removed after a while."""

from kit import schema

revision = "0007"
down_revision = "0006"

FORMAT = "ALTER TYPE job_format ADD VALUE 'parquet';"

PROFILES = """
ALTER TABLE jobs ADD COLUMN profile text, ADD COLUMN time_zone text, ADD COLUMN defaults jsonb NOT NULL DEFAULT '[]';
"""

# Files of a job that has ended, and uploads that no job needs any more, are removed.
REMOVAL = """
ALTER TABLE jobs ADD COLUMN files_removed_at timestamptz;
CREATE INDEX jobs_with_files ON jobs (workspace_id, completed_at)
    WHERE files_removed_at IS NULL AND completed_at IS NOT NULL;
CREATE INDEX jobs_upload ON jobs (workspace_id, upload_id) WHERE files_removed_at IS NULL;
CREATE INDEX uploads_used ON uploads (workspace_id, extended_at) WHERE used;
GRANT SELECT (completed_at, files_removed_at, upload_id) ON jobs TO integrations_relay;
GRANT SELECT (id) ON uploads TO integrations_relay;
"""


def upgrade() -> None:
    schema.execute(FORMAT + PROFILES + REMOVAL)
