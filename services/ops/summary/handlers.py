"""SummaryService."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from kit import clock, contract
from kit.database import Session
from kit.ranges import Range, asked_range
from opsfield.ops.v1.summary_pb2 import (
    DashboardSummary,
    GetDashboardSummaryRequest,
    GetOpsSummaryRequest,
    OpsSummary,
    SummaryRange,
)
from services.ops.billing import money
from services.ops.service_desk.incidents.kind import INCIDENTS
from services.ops.summary import rules, store
from services.ops.summary.rules import Span

_MOST_CLIENTS = 5
_TICKET_IS_DONE = ("resolved", "closed")
_INCIDENT_IS_OVER = ("resolved", "postmortem")
_CHANGE_IS_OVER = ("completed", "failed", "rolled_back")
_DRAFT = "draft"


class SummaryHandlers:
    """Summaries. Each is a handful of statements in one transaction, one after the other."""

    async def get_dashboard_summary(self, request: GetDashboardSummaryRequest, session: Session) -> DashboardSummary:
        now = clock.now()
        asked = asked_range(request, now)
        spans = rules.spans(asked)
        opened, clients = await store.open_tickets(session, rules.age_limits(now), now, now + rules.RISK, _MOST_CLIENTS)
        return DashboardSummary(
            as_of=now,
            range=SummaryRange(range_from=asked.start, range_to=asked.end),
            tickets=await _tickets(session, asked, spans, opened, clients),
            sla=await _sla(session, asked, opened),
            alerts=await _alerts(session, asked, spans),
        )

    async def get_ops_summary(self, request: GetOpsSummaryRequest, session: Session) -> OpsSummary:
        now = clock.now()
        asked = asked_range(request, now)
        sees_money = rules.may_see_money(session.call.principal.roles)
        return OpsSummary(
            as_of=now,
            range=SummaryRange(range_from=asked.start, range_to=asked.end),
            incidents=await _incidents(session),
            changes=await _changes(session, asked, now),
            billing=await _billing(session, now) if sees_money else None,
        )


async def _tickets(
    session: Session, asked: Range, spans: Sequence[Span], opened: list[store.Row], clients: list[store.Row]
) -> DashboardSummary.Tickets:
    parts = await store.tickets_by_span(session, spans)
    responses = await store.first_responses(session, asked)
    ages = rules.tally(opened, "age")
    return DashboardSummary.Tickets(
        open=rules.total(opened),
        open_by_status=_by_word(DashboardSummary.StatusCount, "status", rules.tally(opened, "status"), _TICKET_IS_DONE),
        open_by_priority=_by_word(DashboardSummary.PriorityCount, "priority", rules.tally(opened, "priority")),
        open_by_age=DashboardSummary.Ages(
            under_1_day=ages.get(0), days_1_to_3=ages.get(1), days_3_to_7=ages.get(2), over_7_days=ages.get(3)
        ),
        unassigned=rules.total(opened, "unassigned"),
        top_clients=[
            DashboardSummary.ClientCount(client_id=each["client_id"], name=each["name"], count=each["count"])
            for each in clients
        ],
        created=rules.total(parts, "created"),
        resolved=rules.total(parts, "resolved"),
        by_day=[
            DashboardSummary.Day(date=day, created=part["created"], resolved=part["resolved"])
            for day, part in _by_day(spans, parts)
        ],
        mean_seconds_to_first_response=rules.mean_seconds(responses),
        mean_seconds_to_resolve=rules.mean_seconds(parts, "resolved"),
    )


async def _sla(session: Session, asked: Range, opened: list[store.Row]) -> DashboardSummary.Sla:
    def counted(what: str) -> DashboardSummary.SlaCounts:
        return DashboardSummary.SlaCounts(
            first_response=rules.total(opened, f"first_response_{what}"),
            resolution=rules.total(opened, f"resolution_{what}"),
            tickets=rules.total(opened, what),
        )

    breached = await store.breaches(session, asked)
    return DashboardSummary.Sla(
        at_risk=counted("at_risk"),
        breached_open=counted("breached"),
        breached=DashboardSummary.SlaCounts(**breached),
    )


async def _alerts(session: Session, asked: Range, spans: Sequence[Span]) -> DashboardSummary.Alerts:
    parts = await store.alerts_by_span(session, spans)
    severities = ("info", "warning", "high", "critical")
    return DashboardSummary.Alerts(
        raised=rules.total(parts),
        by_day=[
            DashboardSummary.AlertDay(date=day, **{each: part[each] for each in severities})
            for day, part in _by_day(spans, parts)
        ],
        mean_seconds_to_acknowledge=rules.mean_seconds(await store.acknowledged_alerts(session, asked)),
        mean_seconds_to_resolve=rules.mean_seconds(await store.resolved_alerts(session, asked)),
    )


async def _incidents(session: Session) -> OpsSummary.Incidents:
    opened, oldest = await store.open_incidents(session), await store.oldest_incident(session)
    active = {(each["status"], each["severity"]): each["count"] for each in await store.active_alerts(session)}
    by_status, by_severity = rules.tally(opened, "status"), rules.tally(opened, "severity")
    return OpsSummary.Incidents(
        open=rules.total(opened),
        open_by_status=_by_word(OpsSummary.IncidentStatusCount, "status", by_status, _INCIDENT_IS_OVER),
        open_by_severity=_by_word(OpsSummary.IncidentSeverityCount, "severity", by_severity),
        oldest=_oldest(oldest) if oldest else None,
        alerts=[
            OpsSummary.AlertCount(
                severity=number, firing=active.get(("firing", word)), acknowledged=active.get(("acknowledged", word))
            )
            for word, number in _words(OpsSummary.AlertCount, "severity").items()
        ],
    )


def _oldest(row: store.Row) -> OpsSummary.OldestIncident:
    numbers = {each: _words(OpsSummary.OldestIncident, each)[row[each]] for each in ("severity", "status")}
    return OpsSummary.OldestIncident(**{**row, **numbers, "number": INCIDENTS.written_number(row["number"])})


async def _changes(session: Session, asked: Range, now: datetime) -> OpsSummary.Changes:
    under_way = await store.changes_under_way(session, now, now + rules.SCHEDULED_SOON)
    ended = rules.tally(await store.ended_changes(session, asked), "status")
    by_status = rules.tally(under_way, "status")
    return OpsSummary.Changes(
        by_status=_by_word(OpsSummary.ChangeStatusCount, "status", by_status, _CHANGE_IS_OVER),
        awaiting_approval=by_status.get("submitted"),
        scheduled_next_7_days=rules.total(under_way, "soon"),
        implementing=by_status.get("implementing"),
        **{each: ended.get(each) for each in _CHANGE_IS_OVER},
    )


async def _billing(session: Session, now: datetime) -> OpsSummary.Billing:
    today = now.date()
    invoices = await store.open_invoices(session, rules.due_limits(today))
    contracts = await store.ending_contracts(session, today, today + rules.ENDING_SOON)
    states = _words(OpsSummary.InvoiceTotal, "status")
    by_state = rules.amounts(invoices, lambda row: (states[row["status"]], row["currency"]))
    return OpsSummary.Billing(
        invoices=[
            OpsSummary.InvoiceTotal(
                status=state, currency=currency, count=count, balance=money.written(amount, currency)
            )
            for (state, currency), (count, amount) in by_state.items()
        ],
        receivables=_receivables([each for each in invoices if each["status"] != _DRAFT]),
        quotes_awaiting_decision=_totals(await store.quotes_awaiting_decision(session, today)),
        payments_pending=_totals(await store.pending_payments(session)),
        contracts_ending=contracts["count"],
        contracts_renewing=contracts["renewing"],
    )


def _receivables(invoices: Iterable[rules.Counted]) -> list[OpsSummary.Receivables]:
    owed = rules.amounts(invoices, lambda row: (row["currency"], row["age"]))
    groups = ("not_due", "days_1_to_30", "days_31_to_60", "days_61_to_90", "over_90_days")
    found = []
    for currency in dict.fromkeys(currency for currency, _ in owed):
        by_group = [owed.get((currency, age), (0, Decimal(0)))[1] for age in range(len(groups))]
        written = {name: money.written(amount, currency) for name, amount in zip(groups, by_group, strict=True)}
        whole = money.written(rules.exact_sum(by_group), currency)
        found.append(OpsSummary.Receivables(currency=currency, total=whole, **written))
    return found


def _totals(rows: Iterable[rules.Counted]) -> list[OpsSummary.Total]:
    return [
        OpsSummary.Total(currency=currency, count=count, amount=money.written(amount, currency))
        for (currency,), (count, amount) in rules.amounts(rows, lambda row: (row["currency"],)).items()
    ]


def _by_day(spans: Sequence[Span], parts: list[store.Row]) -> Iterable[tuple[str, store.Row]]:
    return ((span.day.isoformat(), part) for span, part in zip(spans, parts, strict=True) if span.day is not None)


def _by_word(message: Any, field: str, counts: Mapping[str, int], without: Collection[str] = ()) -> list[Any]:
    """A message for each word that the field may be, none left out for being 0."""
    words = _words(message, field)
    return [
        message(**{field: number, "count": counts.get(word)}) for word, number in words.items() if word not in without
    ]


def _words(message: Any, field: str) -> dict[str, Any]:
    return contract.enum_words(message.DESCRIPTOR.fields_by_name[field])
