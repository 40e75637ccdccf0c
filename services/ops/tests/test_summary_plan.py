"""Summaries read the indexes that were made for them, and no more than these."""

import re
from collections import defaultdict
from typing import Any

import asyncpg
import pytest

from kit.call import Call
from kit.database import Database, Session
from kit.identity import Principal
from opsfield.ops.v1.summary_pb2 import GetDashboardSummaryRequest, GetOpsSummaryRequest
from services.ops.summary import store
from services.ops.summary.handlers import SummaryHandlers

ROWS = 3_000
COLUMNS = "created_at, updated_at, created_by, version, search"
VALUES = "now() - n * interval '1 h', now(), 'a', 1, md5(n::text) FROM generate_series(1, $2::int) AS n"
# Next to nothing but what is over, so that it is not what is open that makes a table large.
FILL = (
    f"""
    INSERT INTO clients (workspace_id, id, name, status, tags, {COLUMNS})
    SELECT $1, md5(n::text)::uuid, n::text, 'active', '{{}}', {VALUES}
    """,
    f"""
    INSERT INTO tickets (workspace_id, id, number, subject, client_id, status, priority, source, tier, tags,
        reopen_count, escalations, resolved_at, {COLUMNS})
    SELECT $1, gen_random_uuid(), n, 's', md5('1')::uuid, 'closed', 'low', 'api', 1, '{{}}', 0, '[]', now(), {VALUES}
    """,
    f"""
    INSERT INTO alerts (workspace_id, id, source, fingerprint, severity, title, status, labels, occurrence_count,
        flap_count, first_seen_at, last_seen_at, resolved_at, {COLUMNS})
    SELECT $1, gen_random_uuid(), 's', n::text, 'info', 't',
        CASE WHEN n % 10 = 0 THEN 'firing' ELSE 'resolved' END::alert_status, '[]', 1, 0, now(), now(), now(), {VALUES}
    """,
    f"""
    INSERT INTO incidents (workspace_id, id, number, title, severity, status, client_ids, alert_ids, ticket_ids,
        started_at, timeline, {COLUMNS})
    SELECT $1, gen_random_uuid(), n, 't', 'sev1', 'resolved', '{{}}', '{{}}', '{{}}', now(), '[]', {VALUES}
    """,
    f"""
    INSERT INTO changes (workspace_id, id, number, title, status, type, risk, asset_ids, required_approvals, approvals,
        actual_end, {COLUMNS})
    SELECT $1, gen_random_uuid(), n, 't', 'completed', 'normal', 'low', '{{}}', 1, '[]', now() - n * interval '1 h',
        {VALUES}
    """,
    f"""
    INSERT INTO invoices (workspace_id, id, number, client_id, status, currency, lines, due_on, subtotal,
        discount_total, tax_total, total, amount_paid, balance, {COLUMNS})
    SELECT $1, gen_random_uuid(), n, md5('1')::uuid, 'paid', 'EUR', '[]', now(), 1, 0, 0, 1, 1, 0, {VALUES}
    """,
    f"""
    INSERT INTO quotes (workspace_id, id, number, client_id, status, currency, title, lines, valid_until, subtotal,
        discount_total, tax_total, total, monthly_total, yearly_total, terms_digest, {COLUMNS})
    SELECT $1, gen_random_uuid(), n, md5('1')::uuid, 'accepted', 'EUR', 't', '[]', now(), 1, 0, 0, 1, 0, 0, '', {VALUES}
    """,
    f"""
    INSERT INTO payments (workspace_id, id, invoice_id, amount, currency, status, method, client_id, amount_refunded,
        refunds, {COLUMNS})
    SELECT $1, gen_random_uuid(), (SELECT id FROM invoices WHERE workspace_id = $1 LIMIT 1), 1, 'EUR', 'succeeded',
        'card', md5('1')::uuid, 0, '[]', {VALUES}
    """,
    f"""
    INSERT INTO contracts (workspace_id, id, number, client_id, name, type, status, starts_on, ends_on, billing_period,
        currency, lines, auto_renew, auto_issue, subtotal, discount_total, tax_total, total, used_minutes,
        renewal_count, {COLUMNS})
    SELECT $1, gen_random_uuid(), n, md5('1')::uuid, 'c', 'recurring', 'terminated', now(), now(), 'monthly', 'EUR',
        '[]', false, false, 0, 0, 0, 0, 0, 0, {VALUES}
    """,
)
EXPECTED = {
    "_OPEN_TICKETS": {"tickets_open", "clients_pkey"},
    "_TICKETS_BY_SPAN": {"tickets_created", "tickets_resolved"},
    "_FIRST_RESPONSES": {"tickets_first_responded"},
    "_BREACHES": {"tickets_first_response_breached", "tickets_resolution_breached"},
    "_ALERTS_BY_SPAN": {"alerts_raised"},
    "_ACKNOWLEDGED_ALERTS": {"alerts_acknowledged"},
    "_RESOLVED_ALERTS": {"alerts_resolved"},
    "_OPEN_INCIDENTS": {"incidents_open"},
    "_OLDEST_INCIDENT": {"incidents_open"},
    "_ACTIVE_ALERTS": {"alerts_active"},
    "_CHANGES_UNDER_WAY": {"changes_under_way"},
    "_ENDED_CHANGES": {"changes_ended"},
    "_OPEN_INVOICES": {"invoices_open"},
    "_QUOTES_AWAITING_DECISION": {"quotes_sent"},
    "_PENDING_PAYMENTS": {"payments_pending"},
    "_ENDING_CONTRACTS": {"contracts_ending"},
}
# Of a handful of rows there is more to tell than an index holds.
READ_WITH_ROWS = {"clients_pkey", "_OLDEST_INCIDENT"}
SCAN = re.compile(r"(?:Index Only|Index|Seq|Bitmap \w+) Scan.*?(?= on |$)")
NAMES = {value: name for name, value in vars(store).items() if isinstance(value, str)}


class ExplainingSession(Session):
    """Notes of each statement how its tables are read: `Index Only Scan using tickets_open`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session._connection, session.call)
        self.scans: dict[str, set[str]] = defaultdict(set)

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        lines = [row[0] for row in await super().fetch(f"EXPLAIN (COSTS OFF) {query}", *arguments)]
        self.scans[NAMES[query]] |= {scan[0] for line in lines if (scan := SCAN.search(line))}
        return await super().fetch(query, *arguments)


@pytest.fixture
async def full_workspace(workspace: str, admin: "asyncpg.Connection[asyncpg.Record]") -> str:
    for statement in FILL:
        await admin.execute(statement, workspace, ROWS)
    await admin.execute(
        "VACUUM (ANALYZE) clients, tickets, alerts, incidents, changes, invoices, quotes, payments, contracts"
    )
    return workspace


async def test_each_statement_reads_its_index_alone(database: Database, full_workspace: str) -> None:
    call = Call("/Test", Principal("ada", frozenset({"billing"}), full_workspace), "c-1")
    async with database.read(call) as session:
        explaining = ExplainingSession(session)
        await SummaryHandlers().get_dashboard_summary(GetDashboardSummaryRequest(), explaining)
        await SummaryHandlers().get_ops_summary(GetOpsSummaryRequest(), explaining)
    assert explaining.scans == {
        name: {f"Index{'' if READ_WITH_ROWS & {name, index} else ' Only'} Scan using {index}" for index in indexes}
        for name, indexes in EXPECTED.items()
    }
