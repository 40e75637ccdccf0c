"""What contracts promise for tickets, for the role of a client's people to read, since tickets that they open are bound
to it: of the own client's contracts, and nothing else of them."""

from kit import schema

revision = "0026"
down_revision = "0025"

PROMISE = "SELECT (workspace_id, id, client_id, status, sla_policy_id, starts_on, ends_on, auto_renew, deleted_at)"


def upgrade() -> None:
    schema.execute(schema.client_table("ops", "contracts", rights=PROMISE))
