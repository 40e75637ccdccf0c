"""IngestService: batches come in."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
from google.api.httpbody_pb2 import HttpBody

from kit import ids, metrics
from kit.errors import FieldError, Forbidden, Invalid
from kit.instants import instant
from kit.live_settings import SettingsReader
from kit.unit_of_work import UnitOfWork
from opsfield.common.v1.raw_body_pb2 import RawBody
from opsfield.telemetry.v1.conditions_pb2 import AssetObserved
from opsfield.telemetry.v1.conditions_pb2 import Inventory as AssetInventory
from opsfield.telemetry.v1.ingest_pb2 import (
    EventError,
    IngestEventsRequest,
    IngestOtlpLogsRequest,
    IngestOtlpMetricsRequest,
    IngestResult,
)
from services.telemetry.agents import search
from services.telemetry.agents import store as agents
from services.telemetry.agents.known import KnownAgent
from services.telemetry.agents.speaking import is_agent, one_agent_of
from services.telemetry.detection import silence
from services.telemetry.detection.detector import Standing, detect
from services.telemetry.edge_policies.effective import Policies, Policy
from services.telemetry.ingest import json_batches, otlp, store
from services.telemetry.ingest.events import Batch, InventoryReport, Rejection
from services.telemetry.ingest.inflate import inflate
from services.telemetry.ingest.listing import IngestListHandlers
from services.telemetry.ingest.sorting import Sorted, Window, sort_out

_NDJSON = "application/x-ndjson"
_MOST_REASONS = 5
# Bytes, as they came.
_LARGE = 16 * 1024


class IngestHandlers(IngestListHandlers):
    """A batch is read, its agent held, its events stored and judged, all in the unit of work of its key."""

    def __init__(self, settings: SettingsReader, policies: Policies) -> None:
        self._settings = settings
        self._policies = policies

    async def ingest_events(self, request: IngestEventsRequest, work: UnitOfWork) -> IngestResult:
        named = request.agent_id if request.HasField("agent_id") else None
        agent_id = one_agent_of(work.call.principal, named)
        sent_at = instant(request.sent_at, "sentAt") if request.HasField("sent_at") else None
        data = inflate(request.batch.data, request.batch.content_encoding)
        is_ndjson = request.batch.content_type == _NDJSON
        batch = json_batches.read_ndjson(data) if is_ndjson else json_batches.read_json(data)
        taking = _Taking(work, agent_id, batch, "ndjson" if is_ndjson else "json", len(request.batch.data), sent_at)
        return await self._take(taking)

    async def ingest_otlp_logs(self, request: IngestOtlpLogsRequest, work: UnitOfWork) -> HttpBody:
        batch = await _read(otlp.read_logs, request.batch)
        result = await self._take_otlp(work, request.batch, batch, "otlp_logs")
        return _answer(otlp.logs_answer, result, request.batch.content_type)

    async def ingest_otlp_metrics(self, request: IngestOtlpMetricsRequest, work: UnitOfWork) -> HttpBody:
        batch = await _read(otlp.read_metrics, request.batch)
        result = await self._take_otlp(work, request.batch, batch, "otlp_metrics")
        return _answer(otlp.metrics_answer, result, request.batch.content_type)

    async def _take_otlp(self, work: UnitOfWork, body: RawBody, batch: Batch, written_in: str) -> IngestResult:
        agent_id = one_agent_of(work.call.principal, None)
        return await self._take(_Taking(work, agent_id, batch, written_in, len(body.data), None))

    async def _take(self, taking: "_Taking") -> IngestResult:
        work, batch = taking.work, taking.batch
        agent = await _lock(work, taking.agent_id)
        policy = await self._policies.of(work, client_id=agent.client_id, site_id=agent.site_id, agent_id=agent.id)
        kept_for = timedelta(days=(await self._settings.platform()).value.settings.retention.telemetry_event_days)
        found = sort_out(
            batch,
            Window.of(work.now, kept_for, taking.sent_at),
            workspace_id=work.call.workspace_id,
            agent=agent.number,
            watched=policy.by_metric,
        )
        if found.rows:
            await store.copy_events(work, found.rows)
        if agent.connectivity != "online":
            await silence.heard(work, agent)
        standing = await detect(work, agent, policy, found.samples, found.outcomes)
        status = "degraded" if standing.conditions else "online"
        await _tell(work, agent, status, found.inventory)
        batch_id = ids.new_id()
        await store.note(work, _taken(taking, batch_id, found, policy, standing, status))
        work.afterwards(lambda: _count(len(found.rows), len(batch.rejections)))
        return IngestResult(
            batch_id=batch_id,
            accepted=len(found.rows),
            rejected=len(batch.rejections),
            errors=[EventError(index=each.position, message=each.message) for each in _first(batch.rejections)],
            policy_version=policy.version,
        )


class _Taking:
    """One batch on its way in. `sent_at` is what the agent's clock showed, if it says so."""

    def __init__(
        self, work: UnitOfWork, agent_id: str, batch: Batch, written_in: str, size: int, sent_at: datetime | None
    ) -> None:
        self.work = work
        self.agent_id = agent_id
        self.batch = batch
        self.written_in = written_in
        self.size = size
        self.sent_at = sent_at


async def _lock(work: UnitOfWork, agent_id: str) -> KnownAgent:
    agent = await agents.lock(work, agent_id)
    if agent is None and not is_agent(work.call.principal):
        raise Invalid.fields(FieldError("agentId", "names no agent of this workspace"))
    if agent is None:
        raise Forbidden("There is no such agent in the workspace.", code="agent-unknown")
    if agent.state == "revoked":
        raise Forbidden("The agent's identity has ended.", code="agent-revoked")
    return agent


async def _tell(work: UnitOfWork, agent: KnownAgent, status: str, report: InventoryReport | None) -> None:
    """Tell ops how the asset is doing, and what it is, where that is new."""
    digest = sha256(msgspec.json.encode(report)).digest() if report else None
    is_new = report is not None and digest != agent.inventory_digest
    if not is_new and status == agent.asset_status:
        return
    observed = AssetObserved(
        status=status.upper(),
        last_seen_at=work.now,
        agent_id=agent.id,
        client_id=agent.client_id,
        site_id=agent.site_id,
        inventory=_inventory(report) if report and is_new else None,
    )
    work.emit(observed, key=agent.id)
    if report and is_new and digest:
        await store.note_inventory(
            work,
            agent.id,
            hostname=report.hostname,
            operating_system=report.operating_system,
            digest=digest,
            search=search.text(agent.id, report.hostname, report.operating_system, report.agent_version),
        )


def _inventory(report: InventoryReport) -> AssetInventory:
    kind = report.type.upper() if report.type else None
    fields = [each.name for each in AssetInventory.DESCRIPTOR.fields if each.name != "type"]
    return AssetInventory(type=kind, **{name: getattr(report, name) for name in fields})


def _taken(
    taking: _Taking, batch_id: str, found: Sorted, policy: Policy, standing: Standing, status: str
) -> store.Taken:
    now = taking.work.now
    return store.Taken(
        batch_id=batch_id,
        agent_id=taking.agent_id,
        format=taking.written_in,
        accepted=len(found.rows),
        rejections=taking.batch.rejections,
        bytes=taking.size,
        first_observed_at=found.first_observed_at,
        last_observed_at=found.last_observed_at,
        silent_at=now + policy.offline_after,
        clock_skew_seconds=(now - taking.sent_at).total_seconds() if taking.sent_at else None,
        watched=standing.watched,
        conditions=standing.conditions,
        asset_status=status,
        agent_version=found.agent_version,
    )


def _count(accepted: int, rejected: int) -> None:
    metrics.TELEMETRY_EVENTS.add(accepted, {"outcome": "accepted"})
    metrics.TELEMETRY_EVENTS.add(rejected, {"outcome": "rejected"})


def _first(rejections: Sequence[Rejection]) -> Sequence[Rejection]:
    return rejections[: store.MOST_ERRORS]


async def _read(read: Callable[[bytes, str], Batch], body: RawBody) -> Batch:
    """A large one in a thread: ten thousand points take seconds, in which others are served."""

    def do() -> Batch:
        return read(inflate(body.data, body.content_encoding), body.content_type)

    return do() if len(body.data) < _LARGE else await asyncio.to_thread(do)


def _answer(make: Any, result: IngestResult, content_type: str) -> HttpBody:
    reason = "; ".join(f"{each.index}: {each.message}" for each in result.errors[:_MOST_REASONS])
    return HttpBody(content_type=content_type, data=otlp.written(make(result.rejected, reason), content_type))
