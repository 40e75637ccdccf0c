"""AgentService, and the list of agents as senders."""

import math
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from kit import clock, contract
from kit.database import Session
from kit.errors import FieldError, Invalid, NotFound
from kit.instants import instant
from kit.paging import Listing
from kit.unit_of_work import UnitOfWork
from opsfield.telemetry.v1.agents_pb2 import (
    Agent,
    AgentMetrics,
    GetAgentMetricsRequest,
    GetAgentRequest,
    ListAgentsRequest,
    ListAgentsResponse,
    MetricPoint,
    MetricSeries,
    RevokeAgentRequest,
)
from services.telemetry.agents import store
from services.telemetry.agents.revoking import revoke

_WORDS = {name: contract.enum_words(Agent.DESCRIPTOR.fields_by_name[name]) for name in ("state", "connectivity")}
_DEFAULT_RANGE = timedelta(hours=1)
_LONGEST_RANGE = timedelta(days=31)
_MOST_POINTS = 300


class AgentHandlers:
    """Agents, and what they measured."""

    async def list_agents(self, request: ListAgentsRequest, session: Session) -> ListAgentsResponse:
        listing = Listing.of(request, Agent.DESCRIPTOR)
        rows, total = await store.LISTING.page(session, listing)
        return ListAgentsResponse(**listing.answer([_agent(dict(row)) for row in rows], total))

    async def get_agent(self, request: GetAgentRequest, session: Session) -> Agent:
        return _agent(await _existing(session, request.id))

    async def revoke_agent(self, request: RevokeAgentRequest, work: UnitOfWork) -> Agent:
        reason = request.reason if request.HasField("reason") else None
        if not await revoke(work, request.id, reason=reason):
            raise NotFound(f"There is no agent {request.id} here.")
        return _agent(await _existing(work, request.id))

    async def get_agent_metrics(self, request: GetAgentMetricsRequest, session: Session) -> AgentMetrics:
        start, end = _range(request)
        agent = (await _existing(session, request.id))["number"]
        step = timedelta(seconds=max(1, math.ceil((end - start).total_seconds() / _MOST_POINTS)))
        if not request.HasField("name"):
            latest = await store.latest(session, agent, start, end)
            course: list[store.Row] = []
        else:
            instance = request.instance if request.HasField("instance") else None
            latest = await store.latest_named(session, agent, start, end, request.name, instance)
            course = await store.course(session, agent, start, end, request.name, instance, step)
        points = {key: [_point(each) for each in group] for key, group in groupby(course, itemgetter("instance"))}
        return AgentMetrics(
            range_from=start,
            range_to=end,
            step_seconds=step // timedelta(seconds=1),
            series=[
                MetricSeries(
                    name=each["name"],
                    instance=each["instance"],
                    latest_value=each["value"],
                    latest_at=each["observed_at"],
                    points=points.get(each["instance"], ()),
                )
                for each in latest
            ],
        )


async def _existing(session: Session, agent_id: str) -> store.Row:
    row = await store.get(session, agent_id)
    if row is None:
        raise NotFound(f"There is no agent {agent_id} here.")
    return row


def _agent(row: store.Row) -> Agent:
    values: dict[str, Any] = {name: value for name, value in row.items() if name != "number"}
    return Agent(**{**values, **{name: words[row[name]] for name, words in _WORDS.items()}})


def _point(row: store.Row) -> MetricPoint:
    return MetricPoint(at=row["at"], mean=row["mean"], minimum=row["minimum"], maximum=row["maximum"])


def _range(request: GetAgentMetricsRequest) -> tuple[datetime, datetime]:
    end = instant(request.range_to, "to") if request.HasField("range_to") else clock.now()
    start = instant(request.range_from, "from") if request.HasField("range_from") else end - _DEFAULT_RANGE
    if start >= end:
        raise Invalid.fields(FieldError("from", "must be before the end of the range"))
    if end - start > _LONGEST_RANGE:
        raise Invalid.fields(FieldError("from", f"must be at most {_LONGEST_RANGE.days} days before the end"))
    return start, end
