"""NodeService: what agents that run elsewhere tell, in AgentField's words."""

from datetime import timedelta
from typing import Any

import orjson
from google.api.httpbody_pb2 import HttpBody

from kit.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from kit.formats import COMPILED
from kit.outbound import Refused
from kit.unit_of_work import UnitOfWork
from opsfield.agent_runtime.v1 import nodes_pb2 as pb2
from opsfield.options.v1.field_pb2 import UUID
from services.agent_runtime.agent_keys import checking
from services.agent_runtime.agent_keys import store as keys
from services.agent_runtime.agent_keys.keys import AgentKey
from services.agent_runtime.engines.engines import Engines
from services.agent_runtime.jobs import callers, endings
from services.agent_runtime.jobs import store as jobs
from services.agent_runtime.nodes import results, store, wire
from services.agent_runtime.nodes.nodes import Nodes

# What AgentField's own control plane answers.
_LEASE_SECONDS = 300


class NodeHandlers:
    def __init__(self, nodes: Nodes, engines: Engines) -> None:
        self._leaving = nodes.leaving
        self._outbound = nodes.outbound
        self._limits = nodes.limits
        self._engine = nodes.engine
        self._engines = engines
        self._on_commit = nodes.on_commit

    async def register_node(self, request: pb2.RegisterNodeRequest, work: UnitOfWork) -> HttpBody:
        key = await checking.hold(work, request.api_key)
        asked = wire.registration(request.node.data)
        if self._engines.of(asked.name) is not self._engine:
            raise Conflict(
                f"The name {asked.name} is that of a built-in agent; choose another.", code="node-name-taken"
            )
        try:
            self._outbound.check(asked.base_url)
        except Refused as error:
            raise Invalid.fields(FieldError("base_url", str(error))) from error
        node = await store.lock(work, asked.name, self._limits.silence_seconds)
        if node is None:
            await self._check_room(work)
        taken_from = await self._taken_from(work, node, key)
        if not await store.put(work, asked, key_id=key.id, in_place_of=taken_from):
            raise _of_another_key(asked.name)
        if node is not None and (node.instance_id != asked.instance_id or taken_from):
            await self._leaving.lose(
                work,
                asked.name,
                f"The agent {asked.name} was started again.",
                not_on=None if taken_from else asked.instance_id,
            )
        if node is None or node.instance_id != asked.instance_id:
            async with work.part(callers.of_agent_key(work.call, key.id)) as part:
                part.audit(asked.name, None)
        return _answer(
            {
                "success": True,
                "message": f"The agent {asked.name} is registered.",
                "node_id": asked.name,
                "resolved_base_url": asked.base_url,
            }
        )

    async def heartbeat_node(self, request: pb2.HeartbeatNodeRequest, work: UnitOfWork) -> HttpBody:
        node = await self._own(work, request.api_key, request.node_id)
        instance = wire.instance(request.heartbeat.data)
        if instance and instance != node.instance_id:
            # A later process has taken its place. It may come back when that is gone.
            if not node.is_reachable:
                raise NotFound(f"The agent {node.name} is registered as another instance; register again.")
        elif node.is_gone:
            # It did not leave after all.
            raise NotFound(f"The agent {node.name} has left; register again.")
        elif node.state == "present":
            await store.hear(work, node.name, self._limits.heard_every_seconds)
        return _answer({"status": "ok", "node_id": node.name})

    async def update_node_status(self, request: pb2.UpdateNodeStatusRequest, work: UnitOfWork) -> HttpBody:
        node = await self._own(work, request.api_key, request.node_id)
        if wire.leaves(request.status.data):
            await store.leave(work, node.name, 0)
            await self._leaving.lose(work, node.name, f"The agent {node.name} has left while it ran it.")
        else:
            await store.hear(work, node.name, self._limits.heard_every_seconds)
        renewal = work.now + timedelta(seconds=_LEASE_SECONDS)
        return _answer({"lease_seconds": _LEASE_SECONDS, "next_lease_renewal": renewal})

    async def shut_down_node(self, request: pb2.ShutDownNodeRequest, work: UnitOfWork) -> HttpBody:
        node = await self._own(work, request.api_key, request.node_id)
        await store.leave(work, node.name, wire.grace(request.notice.data))
        return _answer({"status": "ok", "node_id": node.name})

    async def report_execution(self, request: pb2.ReportExecutionRequest, work: UnitOfWork) -> HttpBody:
        key = await checking.check(work, request.api_key)
        report = wire.report(request.report.data)
        lease = request.execution_id
        run = await self._run(work, lease, key)
        status = report.status
        if status is None:
            return _answer({"execution_id": lease, "status": "running"})
        # Its row is locked first, as by everyone who ends a job; then nobody else can end this run.
        job = await jobs.lock_try(work, run.job_id, lease)
        if job is None:
            return await self._repeated(work, lease, key, status)
        await store.end(work, lease, status)
        outcome = results.reported(report, run.result_schema, node=run.known)
        async with work.part(callers.of_job(job)) as part:
            await endings.conclude(part, job, outcome, most_tries=self._limits.most_tries)
        work.afterwards(self._on_commit)
        work.afterwards(lambda: self._engine.told(lease))
        return _answer({"execution_id": lease, "status": status})

    async def take_execution_logs(self, request: pb2.TakeExecutionLogsRequest, work: UnitOfWork) -> HttpBody:
        await checking.check(work, request.api_key)
        return _answer({"success": True})

    async def take_execution_note(self, request: pb2.TakeExecutionNoteRequest, work: UnitOfWork) -> HttpBody:
        await checking.check(work, request.api_key)
        return _answer({"success": True})

    async def take_workflow_event(self, request: pb2.TakeWorkflowEventRequest, work: UnitOfWork) -> HttpBody:
        await checking.check(work, request.api_key)
        return _answer({"success": True})

    async def register_did(self, request: pb2.RegisterDidRequest, work: UnitOfWork) -> HttpBody:
        await checking.check(work, request.api_key)
        return _answer({"success": False, "error": "no identities are issued here: set enable_did=False"})

    async def _check_room(self, work: UnitOfWork) -> None:
        """Raises Conflict when there is no room for another one, also not in place of those that are long gone."""
        most = self._limits.most_nodes
        if await store.count(work) >= most:
            await store.forget(work)
            if await store.count(work) >= most:
                raise Conflict(f"A workspace may have {most} agents at most.", code="too-many-nodes")

    async def _own(self, work: UnitOfWork, api_key: str, name: str) -> store.Node:
        """The node, if it registered with that key. Raises Unauthenticated, NotFound, Forbidden."""
        key = await checking.check(work, api_key)
        node = await store.get(work, name, self._limits.silence_seconds)
        if node is None:
            raise NotFound(f"There is no agent {name[:100]} here; register first.")
        if node.agent_key_id != key.id:
            raise Forbidden(f"The agent {node.name} registered with another key.", code="node-of-another-key")
        return node

    async def _taken_from(self, work: UnitOfWork, node: store.Node | None, key: AgentKey) -> str | None:
        """The key that the node had, if it was another one that can be used no longer. Raises Conflict when it can."""
        if node is None or node.agent_key_id == key.id:
            return None
        other = await keys.hold(work, node.agent_key_id)
        if other is not None and other.state(work.now) == "active":
            raise _of_another_key(node.name)
        return node.agent_key_id

    async def _run(self, work: UnitOfWork, lease: str, key: AgentKey) -> store.RemoteRun:
        """Raises NotFound, also for one that another key's agent was given."""
        run = await store.run(work, lease) if COMPILED[UUID].match(lease) else None
        if run is None or run.agent_key_id != key.id:
            raise NotFound(f"There is no execution {lease[:100]} of this agent.")
        return run

    async def _repeated(self, work: UnitOfWork, lease: str, key: AgentKey, status: str) -> HttpBody:
        """Of a try that has ended. Raises Conflict, unless it is told once more what was told before."""
        run = await self._run(work, lease, key)
        if run.status is None and status == "cancelled":
            # As it was asked to.
            await store.end(work, lease, status)
        elif run.status != status:
            how = f"It ended already: {run.status}." if run.status else "It counts no more."
            raise Conflict(how, code="execution-ended")
        return _answer({"execution_id": lease, "status": status})


def _of_another_key(name: str) -> Conflict:
    return Conflict(
        f"The agent {name} registered with another key: use that one, or revoke it.", code="node-of-another-key"
    )


def _answer(body: dict[str, Any]) -> HttpBody:
    return HttpBody(content_type="application/json", data=orjson.dumps(body, option=orjson.OPT_UTC_Z))
