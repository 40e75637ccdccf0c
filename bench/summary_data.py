"""A workspace of ops with three years behind it, made in the database itself: a million tickets, 98 % of them closed,
and 200,000 invoices, 5 % of them open, with alerts and the rest in proportion."""

from collections.abc import Callable

import asyncpg

WORKSPACE = "bench"
TICKETS, INVOICES, ALERTS, PAYMENTS = 1_000_000, 200_000, 300_000, 200_000
TABLES = ("clients", "tickets", "alerts", "incidents", "changes", "invoices", "quotes", "payments", "contracts")

_MADE = "SELECT n, now() - make_interval(secs => 1096 * 86400.0 * (1 - n::float8 / $2)) AS created_at"
_FROM = "FROM generate_series(1, $2::int) AS n"
_STANDARD = "created_at, updated_at, created_by, version, search"
_VALUES = "created_at, created_at, 'bench', 1, ''"

_CLIENTS = f"""
INSERT INTO clients (workspace_id, id, name, status, tags, {_STANDARD})
SELECT $1, md5('client' || n)::uuid, 'Client ' || n, 'active', '{{}}', {_VALUES} FROM ({_MADE} {_FROM}) AS made
"""
# Open: one of a hundred of all, and the last hundredth.
_TICKETS = f"""
WITH made AS (
    {_MADE}, n % 100 = 0 OR n > $2 - $2 / 100 AS is_open, make_interval(mins => 30 + (hashint4(n) & 4095)) AS spent,
        md5(n::text) || ' is broken, ' || md5((n * 7)::text) || ' was in room ' || n AS words
    {_FROM}
)
INSERT INTO tickets (workspace_id, id, number, subject, description, client_id, status, priority, source, category,
    assignee_id, tier, tags, resolution, resolved_at, closed_at, reopen_count, escalations, first_responded_at,
    first_response_due_at, resolution_due_at, first_response_breached_at, resolution_breached_at,
    created_at, updated_at, created_by, version, search)
SELECT $1, gen_random_uuid(), n, left(words, 60), words || words, md5('client' || 1 + (hashint4(n) & 511) % 500)::uuid,
    CASE WHEN is_open THEN (enum_range(NULL::ticket_status))[1 + n % 5] ELSE 'closed' END,
    (enum_range(NULL::ticket_priority))[1 + n / 7 % 4], 'email', 'Hardware',
    CASE WHEN n % 8 <> 0 THEN 'technician-' || n % 12 END, 1, '{{}}', CASE WHEN NOT is_open THEN 'Done.' END,
    CASE WHEN NOT is_open THEN created_at + spent END, CASE WHEN NOT is_open THEN created_at + 2 * spent END, 0, '[]',
    CASE WHEN NOT is_open OR n % 2 = 0 THEN created_at + spent / 4 END,
    CASE WHEN is_open AND n % 2 = 1 THEN now() + spent / 4 END, CASE WHEN is_open THEN now() + spent / 2 END,
    CASE WHEN n % 20 = 1 THEN created_at + spent / 4 END, CASE WHEN n % 30 = 1 THEN created_at + spent END,
    created_at, created_at, 'bench', 1, words || words || words
FROM made
"""
_ALERTS = f"""
INSERT INTO alerts (workspace_id, id, source, rule, fingerprint, severity, title, status, labels, occurrence_count,
    flap_count, first_seen_at, last_seen_at, acknowledged_at, resolved_at, {_STANDARD})
SELECT $1, gen_random_uuid(), 'uptime', 'ping', n::text, (enum_range(NULL::alert_severity))[1 + n / 7 % 4],
    'No answer from ' || n, (CASE WHEN n % 100 > 0 THEN 'resolved' WHEN n % 200 > 0 THEN 'firing' ELSE 'acknowledged'
    END)::alert_status, '[]', 1, 0, created_at, created_at, CASE WHEN n % 3 = 0 THEN created_at + '5 min' END,
    CASE WHEN n % 100 > 0 THEN created_at + '1 h' END, {_VALUES}
FROM ({_MADE} {_FROM}) AS made
"""
_INCIDENTS = f"""
INSERT INTO incidents (workspace_id, id, number, title, severity, status, client_ids, alert_ids, ticket_ids, started_at,
    timeline, {_STANDARD})
SELECT $1, gen_random_uuid(), n, 'Mail is down', (enum_range(NULL::incident_severity))[1 + n % 4],
    CASE WHEN n % 100 = 0 THEN 'open' ELSE 'postmortem' END::incident_status, '{{}}', '{{}}', '{{}}', created_at,
    '[]', {_VALUES}
FROM ({_MADE} {_FROM}) AS made
"""
_CHANGES = f"""
INSERT INTO changes (workspace_id, id, number, title, status, type, risk, asset_ids, planned_start, planned_end,
    required_approvals, approvals, actual_end, {_STANDARD})
SELECT $1, gen_random_uuid(), n, 'Replace the disk',
    CASE WHEN n % 20 = 0 THEN (enum_range(NULL::change_status))[1 + n / 20 % 6] ELSE 'completed' END, 'normal', 'low',
    '{{}}', created_at + '5 d', created_at + '6 d', 1, '[]', CASE WHEN n % 20 > 0 THEN created_at END, {_VALUES}
FROM ({_MADE} {_FROM}) AS made
"""
_INVOICES = f"""
WITH made AS (
    {_MADE}, CASE n % 200 WHEN 0 THEN 'draft' WHEN 1 THEN 'partially_paid' WHEN 2 THEN 'issued' WHEN 3 THEN 'issued'
        WHEN 4 THEN 'issued' WHEN 5 THEN 'issued' WHEN 6 THEN 'overdue' WHEN 7 THEN 'overdue' WHEN 8 THEN 'overdue'
        WHEN 9 THEN 'overdue' ELSE 'paid' END::invoice_status AS status,
        100 + (hashint4(n) & 65535) AS total
    {_FROM}
)
INSERT INTO invoices (workspace_id, id, number, client_id, status, currency, lines, due_on, issued_on, subtotal,
    discount_total, tax_total, total, amount_paid, balance, {_STANDARD})
SELECT $1, gen_random_uuid(), CASE WHEN status <> 'draft' THEN 'INV-' || n END,
    md5('client' || 1 + (hashint4(n) & 511) % 500)::uuid, status, (ARRAY['EUR', 'USD', 'GBP'])[1 + n / 200 % 3],
    jsonb_build_array(jsonb_build_object('description', repeat(md5(n::text), 8))), (created_at + '30 d')::date,
    created_at::date, total, 0, 0, total, paid, total - paid, {_VALUES}
FROM (
    SELECT *, CASE status WHEN 'paid' THEN total WHEN 'partially_paid' THEN 50 ELSE 0 END AS paid FROM made
) AS made
"""
_QUOTES = f"""
INSERT INTO quotes (workspace_id, id, number, client_id, status, currency, title, lines, valid_until, subtotal,
    discount_total, tax_total, total, monthly_total, yearly_total, terms_digest, {_STANDARD})
SELECT $1, gen_random_uuid(), n, gen_random_uuid(), CASE WHEN n % 50 = 0 THEN 'sent' ELSE 'accepted' END::quote_status,
    'EUR', 'Office', '[]', created_at::date + 1000, n, 0, 0, n, 0, 0, '', {_VALUES}
FROM ({_MADE} {_FROM}) AS made
"""
_PAYMENTS = f"""
INSERT INTO payments (workspace_id, id, invoice_id, amount, currency, status, method, client_id, amount_refunded,
    refunds, {_STANDARD})
SELECT $1, gen_random_uuid(), gen_random_uuid(), n, 'EUR',
    CASE WHEN n % 500 = 0 THEN 'pending' ELSE 'succeeded' END::payment_status, 'card', gen_random_uuid(), 0, '[]',
    {_VALUES}
FROM ({_MADE} {_FROM}) AS made
"""
_CONTRACTS = f"""
INSERT INTO contracts (workspace_id, id, number, client_id, name, type, status, starts_on, ends_on, billing_period,
    currency, lines, auto_renew, auto_issue, subtotal, discount_total, tax_total, total, used_minutes, renewal_count,
    {_STANDARD})
SELECT $1, gen_random_uuid(), n, gen_random_uuid(), 'Care', 'recurring', 'active', created_at::date,
    created_at::date + 1100, 'monthly', 'EUR', '[]', n % 2 = 0, true, 0, 0, 0, 0, 0, 0, {_VALUES}
FROM ({_MADE} {_FROM}) AS made
"""
_FILL = (
    (_CLIENTS, 500),
    (_TICKETS, TICKETS),
    (_ALERTS, ALERTS),
    (_INCIDENTS, 2_000),
    (_CHANGES, 5_000),
    (_INVOICES, INVOICES),
    (_QUOTES, 20_000),
    (_PAYMENTS, PAYMENTS),
    (_CONTRACTS, 2_000),
)


async def fill(admin_url: str, report: Callable[[str], None]) -> None:
    """Make all rows, without the checks that the service's own rows go through. `admin_url`: a superuser's."""
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        # Of no use here, and dear to build.
        await connection.execute("DROP INDEX tickets_search")
        for statement, count in _FILL:
            report(f"{count:,} {statement.partition('INSERT INTO ')[2].split()[0]}")
            await connection.execute(statement, WORKSPACE, count)
        for table in TABLES:
            await connection.execute(f"VACUUM ANALYZE {table}")
    finally:
        await connection.close()
