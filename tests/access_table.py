"""Who may call what, as the API contract says it and independently of the protos: a role that is wrong there turns
tests/e2e/test_access_matrix.py red. `msp_admin` may call all that is not public; it is not repeated."""

from collections.abc import Iterator

ROLES = (
    "msp_admin",
    "ops_engineer",
    "automation_operator",
    "integration_admin",
    "billing",
    "data_admin",
    "viewer",
    "platform_admin",
    "endpoint_agent",
    "client_portal",
)
PUBLIC = frozenset[str]()

# method and path = the roles; nothing: public, or signed.
_ROUTES = """
GET /health =
GET /api/v1/health =
GET /.well-known/engine-status =
GET /api/v1/openapi =
GET /api/v1/dashboard/summary = ops_engineer viewer
GET /api/v1/portal/summary = client_portal ops_engineer viewer
GET /api/v1/ops/summary = ops_engineer billing viewer
POST /api/v1/portal/session/exchange =
POST /api/v1/portal/session/terminate = client_portal
GET /api/v1/portal/invites = ops_engineer data_admin
POST /api/v1/portal/invites = ops_engineer data_admin
POST /api/v1/portal/invites/{}/revoke = ops_engineer data_admin
GET /api/v1/portal/knowledge-base = client_portal ops_engineer viewer
GET /api/v1/portal/clients = client_portal ops_engineer viewer
GET /api/v1/portal/tickets = client_portal ops_engineer viewer
GET /api/v1/portal/quotes = client_portal ops_engineer viewer
GET /api/v1/portal/invoices = client_portal ops_engineer viewer
GET /api/v1/portal/payments = client_portal ops_engineer viewer
POST /api/v1/portal/tickets = client_portal
POST /api/v1/portal/tickets/{}/update = client_portal
POST /api/v1/portal/quotes/{}/decision = client_portal
POST /api/v1/portal/invoices/{}/acknowledge = client_portal billing
POST /api/v1/portal/invoices/{}/payment-intent = client_portal billing
POST /api/v1/ops/alerts/{}/link-ticket = ops_engineer
POST /api/v1/ops/tickets/{}/link-asset = ops_engineer
POST /api/v1/ops/tickets/{}/link-runbook = ops_engineer
POST /api/v1/ops/tickets/{}/escalate = ops_engineer
POST /api/v1/ops/tickets/{}/resolve = ops_engineer
GET /api/v1/workflow-executions = ops_engineer automation_operator viewer
GET /api/v1/workflow-executions/{} = ops_engineer automation_operator viewer
POST /api/v1/workflow-executions/{}/retry = ops_engineer automation_operator
POST /api/v1/workflow-executions/{}/cancel = ops_engineer automation_operator
POST /api/v1/execute/{}.{} = ops_engineer automation_operator
POST /api/v1/webhooks/workflow-completed =
GET /api/v1/audit-credentials = ops_engineer data_admin viewer
GET /api/v1/agent-runtime/health = ops_engineer automation_operator viewer
GET /api/v1/agent-runtime/queues = ops_engineer automation_operator viewer
GET /api/v1/agent-runtime/failures = ops_engineer automation_operator viewer
GET /api/v1/agent-runtime/agents = ops_engineer automation_operator viewer
POST /api/v1/agent-runtime/outbox-failures/{}/retry = ops_engineer
POST /api/v1/agent-runtime/job-failures/{}/retry = ops_engineer
POST /api/v1/agent-runtime/smoke = ops_engineer automation_operator
GET /api/v1/edge-agent/policy = endpoint_agent ops_engineer viewer
GET /api/v1/edge-agent/enrollment = ops_engineer
POST /api/v1/edge-agent/enrollment/rotate = ops_engineer
GET /api/v1/edge-agent/ingest-status = endpoint_agent ops_engineer viewer
POST /api/v1/events/ingest = endpoint_agent ops_engineer
GET /api/v1/events/ingest-batches = ops_engineer viewer
GET /api/v1/events/outbox = ops_engineer viewer
POST /api/v1/integrations/github/webhook =
POST /api/v1/integrations/accounting/sync = integration_admin billing
POST /api/v1/integrations/notifications/test = integration_admin
POST /api/v1/imports = data_admin
POST /api/v1/exports = data_admin
GET /api/v1/jobs = data_admin integration_admin ops_engineer viewer
GET /api/v1/platform/settings = platform_admin
PUT /api/v1/platform/settings = platform_admin
GET /api/v1/platform/secrets = platform_admin
POST /api/v1/platform/secrets/{} = platform_admin
GET /api/v1/workspace/settings = data_admin integration_admin
PUT /api/v1/workspace/settings = data_admin integration_admin
GET /api/v1/workspace/secrets = integration_admin
POST /api/v1/workspace/secrets/{} = integration_admin
"""
_OPERATIONAL = (
    "clients",
    "contacts",
    "sites",
    "assets",
    "tickets",
    "time-entries",
    "sla-policies",
    "alerts",
    "incidents",
    "changes",
    "runbooks",
    "knowledge-articles",
)
_FINANCIAL = ("contracts", "quotes", "invoices", "payments")
_WRITES = (("POST", ""), ("PUT", "/{}"), ("PATCH", "/{}"), ("DELETE", "/{}"))


def table() -> dict[tuple[str, str], frozenset[str]]:
    """By method and path (each parameter `{}`) the roles; `PUBLIC` for what asks for no token."""
    return (
        dict(_named())
        | dict(_kinds(_OPERATIONAL, "ops_engineer data_admin", "viewer"))
        | dict(_kinds(_FINANCIAL, "billing data_admin", ""))
    )


def _named() -> Iterator[tuple[tuple[str, str], frozenset[str]]]:
    for line in _ROUTES.strip().splitlines():
        route, _, roles = line.partition("=")
        verb, path = route.split()
        named = frozenset(roles.split())
        yield (verb, path), named | {"msp_admin"} if named else PUBLIC


def _kinds(kinds: tuple[str, ...], writers: str, readers: str) -> Iterator[tuple[tuple[str, str], frozenset[str]]]:
    write = frozenset(writers.split()) | {"msp_admin"}
    for kind in kinds:
        for path in ("", "/{}"):
            yield ("GET", f"/api/v1/{kind}{path}"), write | frozenset(readers.split())
        for verb, path in _WRITES:
            yield (verb, f"/api/v1/{kind}{path}"), write
