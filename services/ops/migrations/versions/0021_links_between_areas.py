"""Foreign keys between areas."""

from kit import schema

revision = "0021"
down_revision = "0020"

LINKS = (
    ("tickets", "contact_id", "contacts"),
    ("tickets", "site_id", "sites"),
    ("alerts", "asset_id", "assets"),
    ("incidents", "change_id", "changes"),
    ("contracts", "sla_policy_id", "sla_policies"),
    ("time_entries", "invoice_id", "invoices"),
)


def upgrade() -> None:
    schema.execute(
        "".join(
            f"ALTER TABLE {table} ADD FOREIGN KEY (workspace_id, {column}) REFERENCES {target} (workspace_id, id);"
            f"CREATE INDEX {table}_{column.removesuffix('_id')}_linked ON {table} (workspace_id, {column}) "
            f"WHERE {column} IS NOT NULL;"
            for table, column, target in LINKS
        )
    )
