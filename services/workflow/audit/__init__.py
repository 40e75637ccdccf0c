"""The audit trail: records become signed credentials, chained and checkpointed."""
