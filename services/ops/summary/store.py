"""The SQL of summaries. Each statement reads one of the indexes of migration 0022, whose conditions it repeats word for
word, and little else: what it costs follows what is open, or what lies in the range, not how much there is."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from kit.database import Session
from kit.ranges import Range
from services.ops.summary.rules import Span

Row = dict[str, Any]

_TICKET_IS_OPEN = "workspace_id = $1 AND status NOT IN ('resolved', 'closed') AND deleted_at IS NULL"
_FIRST_BROKEN = "(first_response_breached_at IS NOT NULL OR first_response_due_at <= $5)"
_LAST_BROKEN = "(resolution_breached_at IS NOT NULL OR resolution_due_at <= $5)"
_FIRST_AT_RISK = f"(first_response_due_at <= $6 AND NOT {_FIRST_BROKEN})"
_LAST_AT_RISK = f"(resolution_due_at <= $6 AND NOT {_LAST_BROKEN})"

# In one pass: by state, priority and age (no client then), and by client.
_OPEN_TICKETS = f"""
WITH counted AS (
    SELECT status, priority, (created_at <= $2)::int + (created_at <= $3)::int + (created_at <= $4)::int AS age,
        client_id, count(*) AS count, count(*) - count(assignee_id) AS unassigned,
        count(*) FILTER (WHERE {_FIRST_AT_RISK}) AS first_response_at_risk,
        count(*) FILTER (WHERE {_LAST_AT_RISK}) AS resolution_at_risk,
        count(*) FILTER (WHERE {_FIRST_AT_RISK} OR {_LAST_AT_RISK}) AS at_risk,
        count(*) FILTER (WHERE {_FIRST_BROKEN}) AS first_response_breached,
        count(*) FILTER (WHERE {_LAST_BROKEN}) AS resolution_breached,
        count(*) FILTER (WHERE {_FIRST_BROKEN} OR {_LAST_BROKEN}) AS breached
    FROM tickets WHERE {_TICKET_IS_OPEN} GROUP BY GROUPING SETS ((1, 2, 3), (client_id))
), top AS (
    SELECT * FROM counted WHERE client_id IS NOT NULL ORDER BY count DESC, client_id LIMIT $7
)
SELECT *, NULL AS name FROM counted WHERE client_id IS NULL
UNION ALL SELECT top.*, name FROM top JOIN clients ON workspace_id = $1 AND id = client_id
"""
_SPANS = "unnest($2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY AS span (starts, ends, position)"
# A count for each span costs less than to work out and group by the day of each row.
_TICKETS_BY_SPAN = f"""
SELECT created.count AS created, resolved.count AS resolved, spent
FROM {_SPANS},
LATERAL (
    SELECT count(*) FROM tickets
    WHERE workspace_id = $1 AND created_at >= starts AND created_at < ends AND deleted_at IS NULL
) AS created,
LATERAL (
    SELECT count(*), sum(resolved_at - created_at) AS spent FROM tickets
    WHERE workspace_id = $1 AND resolved_at >= starts AND resolved_at < ends AND deleted_at IS NULL
) AS resolved
ORDER BY position
"""
_FIRST_RESPONSES = """
SELECT count(*), sum(first_responded_at - created_at) AS spent FROM tickets
WHERE workspace_id = $1 AND first_responded_at >= $2 AND first_responded_at < $3 AND deleted_at IS NULL
"""
_BREACHES = """
SELECT count(*) FILTER (WHERE is_first) AS first_response, count(*) FILTER (WHERE NOT is_first) AS resolution,
    count(DISTINCT id) AS tickets
FROM (
    SELECT id, true AS is_first FROM tickets
    WHERE workspace_id = $1 AND first_response_breached_at >= $2 AND first_response_breached_at < $3
        AND deleted_at IS NULL
    UNION ALL
    SELECT id, false FROM tickets
    WHERE workspace_id = $1 AND resolution_breached_at >= $2 AND resolution_breached_at < $3 AND deleted_at IS NULL
) AS breaches
"""
_ALERTS_BY_SPAN = f"""
SELECT raised.*
FROM {_SPANS},
LATERAL (
    SELECT count(*), count(*) FILTER (WHERE severity = 'info') AS info,
        count(*) FILTER (WHERE severity = 'warning') AS warning, count(*) FILTER (WHERE severity = 'high') AS high,
        count(*) FILTER (WHERE severity = 'critical') AS critical
    FROM alerts WHERE workspace_id = $1 AND created_at >= starts AND created_at < ends AND deleted_at IS NULL
) AS raised
ORDER BY position
"""
_ACKNOWLEDGED_ALERTS = """
SELECT count(*), sum(acknowledged_at - first_seen_at) AS spent FROM alerts
WHERE workspace_id = $1 AND acknowledged_at >= $2 AND acknowledged_at < $3 AND deleted_at IS NULL
"""
_RESOLVED_ALERTS = """
SELECT count(*), sum(resolved_at - first_seen_at) AS spent FROM alerts
WHERE workspace_id = $1 AND resolved_at >= $2 AND resolved_at < $3 AND deleted_at IS NULL
"""

_INCIDENT_IS_OPEN = "workspace_id = $1 AND status NOT IN ('resolved', 'postmortem') AND deleted_at IS NULL"
_OPEN_INCIDENTS = f"SELECT status, severity, count(*) FROM incidents WHERE {_INCIDENT_IS_OPEN} GROUP BY 1, 2"
_OLDEST_INCIDENT = f"""
SELECT id, number, title, severity, status, started_at FROM incidents WHERE {_INCIDENT_IS_OPEN}
ORDER BY started_at, id LIMIT 1
"""
_ACTIVE_ALERTS = """
SELECT status, severity, count(*) FROM alerts
WHERE workspace_id = $1 AND status IN ('firing', 'acknowledged') AND deleted_at IS NULL GROUP BY 1, 2
"""
_CHANGES_UNDER_WAY = """
SELECT status, count(*),
    count(*) FILTER (WHERE status = 'scheduled' AND planned_start >= $2 AND planned_start < $3) AS soon
FROM changes
WHERE workspace_id = $1 AND status NOT IN ('completed', 'failed', 'rolled_back') AND deleted_at IS NULL GROUP BY 1
"""
_ENDED_CHANGES = """
SELECT status, count(*) FROM changes
WHERE workspace_id = $1 AND actual_end >= $2 AND actual_end < $3 AND deleted_at IS NULL GROUP BY 1
"""

# A draft need not have a last day to pay.
_OPEN_INVOICES = """
SELECT status, currency, count(*), sum(balance) AS amount, coalesce(
    (due_on < $2::date)::int + (due_on < $3::date)::int + (due_on < $4::date)::int + (due_on < $5::date)::int, 0
) AS age
FROM invoices
WHERE workspace_id = $1 AND status NOT IN ('paid', 'void') AND deleted_at IS NULL GROUP BY status, currency, age
"""
_QUOTES_AWAITING_DECISION = """
SELECT currency, count(*), sum(total) AS amount FROM quotes
WHERE workspace_id = $1 AND status = 'sent' AND valid_until >= $2::date AND deleted_at IS NULL GROUP BY currency
"""
_PENDING_PAYMENTS = """
SELECT currency, count(*), sum(amount) AS amount FROM payments
WHERE workspace_id = $1 AND status = 'pending' AND deleted_at IS NULL GROUP BY currency
"""
_ENDING_CONTRACTS = """
SELECT count(*), count(*) FILTER (WHERE auto_renew) AS renewing FROM contracts
WHERE workspace_id = $1 AND status IN ('active', 'suspended') AND ends_on BETWEEN $2::date AND $3::date
    AND deleted_at IS NULL
"""


async def open_tickets(
    session: Session, age_limits: Sequence[datetime], now: datetime, at_risk_until: datetime, most_clients: int
) -> tuple[list[Row], list[Row]]:
    """Open tickets by `status`, `priority` and `age` (how many of the limits they have reached): `count`, `unassigned`,
    and of the promises those at risk and broken (`first_response_at_risk`, `breached`, …). And the clients with the
    most of them, most first: `client_id`, `name`, `count`."""
    rows = await _fetch(session, _OPEN_TICKETS, *age_limits, now, at_risk_until, most_clients)
    clients = [row for row in rows if row["client_id"]]
    clients.sort(key=lambda row: (-row["count"], row["client_id"]))
    return [row for row in rows if not row["client_id"]], clients


async def tickets_by_span(session: Session, spans: Sequence[Span]) -> list[Row]:
    """For each span: how many were `created`, how many `resolved`, and the time these had `spent` together."""
    return await _by_span(session, _TICKETS_BY_SPAN, spans)


async def first_responses(session: Session, within: Range) -> list[Row]:
    """In one record: the `count` of those given in the range, and the time these had `spent` together."""
    return await _within(session, _FIRST_RESPONSES, within)


async def breaches(session: Session, within: Range) -> Row:
    """Promises broken in the range: `first_response`, `resolution`, and the `tickets` they are of."""
    return (await _within(session, _BREACHES, within))[0]


async def alerts_by_span(session: Session, spans: Sequence[Span]) -> list[Row]:
    """For each span: the `count` of alerts raised in it, and of each severity."""
    return await _by_span(session, _ALERTS_BY_SPAN, spans)


async def acknowledged_alerts(session: Session, within: Range) -> list[Row]:
    """As `first_responses`."""
    return await _within(session, _ACKNOWLEDGED_ALERTS, within)


async def resolved_alerts(session: Session, within: Range) -> list[Row]:
    """As `first_responses`."""
    return await _within(session, _RESOLVED_ALERTS, within)


async def open_incidents(session: Session) -> list[Row]:
    """Open incidents by `status` and `severity`: `count`."""
    return await _fetch(session, _OPEN_INCIDENTS)


async def oldest_incident(session: Session) -> Row | None:
    """The open incident that began first."""
    return next(iter(await _fetch(session, _OLDEST_INCIDENT)), None)


async def active_alerts(session: Session) -> list[Row]:
    """Firing and acknowledged alerts by `status` and `severity`: `count`."""
    return await _fetch(session, _ACTIVE_ALERTS)


async def changes_under_way(session: Session, now: datetime, soon: datetime) -> list[Row]:
    """Changes that are not over by `status`: `count`, and how many of the scheduled begin from now until `soon`."""
    return await _fetch(session, _CHANGES_UNDER_WAY, now, soon)


async def ended_changes(session: Session, within: Range) -> list[Row]:
    """Changes that ended in the range by what they are now, `status`: `count`."""
    return await _within(session, _ENDED_CHANGES, within)


async def open_invoices(session: Session, due_limits: Sequence[date]) -> list[Row]:
    """Invoices that are neither paid nor void by `status`, `currency` and `age` (how many of the limits their last day
    to pay lies before): `count`, and the `amount` of their balances."""
    return await _fetch(session, _OPEN_INVOICES, *due_limits)


async def quotes_awaiting_decision(session: Session, today: date) -> list[Row]:
    """Quotes that may be accepted today, by `currency`: `count`, `amount`."""
    return await _fetch(session, _QUOTES_AWAITING_DECISION, today)


async def pending_payments(session: Session) -> list[Row]:
    """Payments that are under way, by `currency`: `count`, `amount`."""
    return await _fetch(session, _PENDING_PAYMENTS)


async def ending_contracts(session: Session, first: date, last: date) -> Row:
    """Running contracts whose last day is one of these: `count`, and how many of them are `renewing`."""
    return (await _fetch(session, _ENDING_CONTRACTS, first, last))[0]


async def _by_span(session: Session, query: str, spans: Sequence[Span]) -> list[Row]:
    starts, ends = [span.start for span in spans], [span.end for span in spans]
    return await _fetch(session, query, starts, ends)


async def _within(session: Session, query: str, within: Range) -> list[Row]:
    return await _fetch(session, query, within.start, within.end)


async def _fetch(session: Session, query: str, *arguments: Any) -> list[Row]:
    return [dict(record) for record in await session.fetch(query, session.call.workspace_id, *arguments)]
