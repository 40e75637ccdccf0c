"""The engine of agents that run elsewhere and have registered as nodes (services/agent_runtime/nodes).

A try is one call to the node. It answers with the result at once, or acknowledges and tells later, to any replica: that
ends the job durably, and whoever waits here only finds out. So a run goes on when the replica that began it is gone.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg

from kit.database import DATABASE_ERRORS, Database, Session
from kit.errors import Problem, Unavailable
from kit.logs import get_logger
from kit.outbound import Outbound, OutboundError, Refused, TooLong, Unreachable
from kit.unit_of_work import unit_of_work
from services.agent_runtime.engines.port import Agent, Failed, Outcome, Recorded, Task
from services.agent_runtime.jobs import callers
from services.agent_runtime.nodes import calls, results, store
from services.agent_runtime.nodes.limits import NodeLimits
from services.agent_runtime.nodes.offer import Offer
from services.agent_runtime.nodes.presence import Presence
from services.agent_runtime.nodes.store import Node, RemoteRun
from services.agent_runtime.reasoners.reasoner import Description

# How long it may take until it is recorded why a run was stopped here.
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.2
_POOL_SIZE = 4

T = TypeVar("T")

log = get_logger(__name__)


@dataclass(frozen=True)
class _Placed:
    """A node that was given a try, and as what it is called."""

    node: Node
    kind: str
    run: RemoteRun


class RemoteEngine:
    """It has a small pool of connections of its own: whoever asks it may hold one of the service's already."""

    name = "remote"
    version = "1"
    is_per_workspace = True

    def __init__(
        self, database_url: str, outbound: Outbound, presence: Presence, *, slots: int, limits: NodeLimits
    ) -> None:
        self._database_url = database_url
        self._outbound = outbound
        self._presence = presence
        self._limits = limits
        self._slots = slots
        self._pool: Database | None = None
        self._opening = asyncio.Lock()
        # By the lease of a try: its node has told what came of it, and that is recorded.
        self._told: dict[str, asyncio.Event] = {}
        self._errands: set[asyncio.Task[None]] = set()

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def workers(self) -> int:
        return self._slots

    @property
    def busy(self) -> int:
        return len(self._told)

    def has(self, agent: str) -> bool:
        """It is the last that is asked, for agents that no other has: what there is differs by workspace."""
        del agent
        return False

    def hindrance(self, workspace_id: str, agent: str) -> str | None:
        return self._presence.hindrance(workspace_id, agent)

    async def find(self, workspace_id: str, agent: str, reasoner: str) -> Description | None:
        async def look(session: Session) -> Description | None:
            node = await store.get(session, agent, self._limits.silence_seconds)
            offer = node.offer(reasoner) if node else None
            return self._described(agent, offer) if offer else None

        return await self._read(workspace_id, look)

    async def agents(self, workspace_id: str) -> Sequence[Agent]:
        nodes = await self._read(workspace_id, lambda session: store.every(session, self._limits.silence_seconds))
        return [
            Agent(
                each.name,
                self.name,
                each.version,
                each.is_reachable,
                [self._described(each.name, offer) for offer in each.offers],
                last_heard_at=each.last_heard_at,
                created_at=each.created_at,
            )
            for each in nodes
        ]

    async def serve(self) -> None:
        try:
            await self._presence.run()
        finally:
            for task in self._errands:
                task.cancel()
            await asyncio.gather(*self._errands, return_exceptions=True)
            await self._outbound.close()
            if self._pool is not None:
                await self._pool.close()

    def told(self, lease: str) -> None:
        """What came of that try is recorded: whoever waits for it here need not any more."""
        if told := self._told.get(lease):
            told.set()

    async def run(self, task: Task) -> Outcome:
        """Cancelled, the node is told to stop, if the run is not to go on."""
        placed = await self._place(task)
        if isinstance(placed, Failed):
            return placed
        return await self._until_told(task, placed, self._call(task, placed))

    async def goes_on(self, session: Session, lease: str) -> bool:
        """What its node has acknowledged, while it is the same instance. Whether that is there any more, presence finds
        out."""
        run = await store.run(session, lease)
        if run is None or run.acknowledged_at is None or run.status is not None:
            return False
        node = await store.get(session, run.node, self._limits.silence_seconds)
        return node is not None and node.instance_id == run.instance_id

    async def resume(self, task: Task) -> Outcome:
        placed = await self._read(task.workspace_id, lambda session: self._placed(session, task))
        if placed is None:
            return Failed("worker_lost", "The agent that ran it is gone.", passes=True)
        return await self._until_told(task, placed, self._already_called(placed))

    async def _until_told(self, task: Task, placed: _Placed, call: "Coroutine[Any, Any, Outcome | None]") -> Outcome:
        told = self._told[task.lease] = asyncio.Event()
        try:
            outcome = await call
            if outcome is not None and not told.is_set():
                return outcome
            await told.wait()
        except asyncio.CancelledError:
            self._send(self._stop(task, placed))
            raise
        finally:
            del self._told[task.lease]
        return Recorded()

    async def _place(self, task: Task) -> _Placed | Failed:
        """Write down which instance of the node is given the try: should that be lost, so is the try."""
        name, silence = task.reasoner.agent, self._limits.silence_seconds
        call = callers.of_workspace(task.workspace_id)
        async with unit_of_work(await self._database(), call, service=callers.SERVICE) as work:
            node = await store.hold(work, name, silence)
            if node is None or not node.is_reachable:
                detail = f"The agent {name} cannot be reached now."
                return Failed("engine_unreachable", detail, passes=True, counts=False)
            offer = node.offer(task.reasoner.name)
            if offer is None:
                return Failed("reasoner_unknown", f"The agent {name} offers no {task.reasoner.name} any more.")
            if not await store.begin(work, task.lease, node, offer):
                return Failed("worker_lost", "The run was taken away before it was begun.", passes=True)
            run = await store.run(work, task.lease)
            assert run is not None, "it was added just now"
            return _Placed(node, offer.kind, run)

    async def _placed(self, session: Session, task: Task) -> _Placed | None:
        run = await store.run(session, task.lease)
        node = await store.get(session, run.node, self._limits.silence_seconds) if run else None
        if run is None or node is None or node.instance_id != run.instance_id:
            return None
        return _Placed(node, "", run)

    async def _call(self, task: Task, placed: _Placed) -> Outcome | None:
        """What the node answers; None: it acknowledged, and will tell."""
        try:
            answer = await calls.begin(self._outbound, task, placed.node, placed.kind)
        except OutboundError as error:
            return await self._failed(task, placed, error)
        if answer.status == 202:
            await self._acknowledged(task)
            return None
        if answer.status != 200:
            return results.refused(answer.status, answer.body)
        return results.answered(answer.body, placed.run.result_schema, node=placed.run.known)

    async def _failed(self, task: Task, placed: _Placed, error: OutboundError) -> Failed:
        agent = placed.node.name
        if isinstance(error, Refused):
            return Failed("engine_unreachable", f"The address of the agent {agent} is not to be reached: {error}.")
        if isinstance(error, TooLong):
            return Failed("output_invalid", f"The result is too long: {error}.")
        if isinstance(error, Unreachable):
            call = callers.of_workspace(task.workspace_id)
            async with unit_of_work(await self._database(), call, service=callers.SERVICE) as work:
                await store.missed(work, agent, placed.node.instance_id)
            return Failed("engine_unreachable", f"The agent {agent} cannot be reached: {error}.", passes=True)
        return Failed("worker_lost", f"The agent {agent} was lost while it ran it: {error}.", passes=True)

    async def _acknowledged(self, task: Task) -> None:
        call = callers.of_workspace(task.workspace_id)
        async with unit_of_work(await self._database(), call, service=callers.SERVICE) as work:
            await store.acknowledge(work, task.lease)

    async def _already_called(self, placed: _Placed) -> Outcome | None:
        return None if placed.run.status is None else Recorded()

    async def _stop(self, task: Task, placed: _Placed) -> None:
        """Tell the node to stop, once it is recorded that the try counts no more. Not if it has ended there, and not if
        this process ends: then the run goes on, and another takes it up."""
        for _ in range(round(_STOP_SECONDS / _POLL_SECONDS)):
            run, counts = await self._read(task.workspace_id, lambda session: _state(session, task))
            if run is None or run.status is not None:
                return
            if not counts:
                break
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return
        try:
            await calls.cancel(self._outbound, task, placed.node)
        except OutboundError as error:
            log.info("agent was not told to stop", agent=placed.node.name, reason=str(error))

    def _send(self, errand: "Coroutine[Any, Any, None]") -> None:
        async def run() -> None:
            try:
                await errand
            except (Problem, *DATABASE_ERRORS) as error:
                log.warning("agent was not told to stop", reason=str(error))

        task = asyncio.create_task(run())
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    def _described(self, agent: str, offer: Offer) -> Description:
        limits = self._limits
        return offer.described(agent, timeout_seconds=limits.timeout_seconds, most_tries=limits.most_tries)

    async def _read(self, workspace_id: str, look: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
        """Raises Unavailable."""
        async with (await self._database()).read(callers.of_workspace(workspace_id)) as session:
            return await look(session)

    async def _database(self) -> Database:
        async with self._opening:
            if self._pool is None:
                try:
                    self._pool = await Database.connect(self._database_url, size=_POOL_SIZE)
                except (OSError, asyncpg.PostgresError) as error:
                    raise Unavailable("The database cannot be reached; try again.", retry_after=1) from error
            return self._pool


async def _state(session: Session, task: Task) -> tuple[RemoteRun | None, bool]:
    """The run, and whether it is still what its job waits for."""
    run = await store.run(session, task.lease)
    return run, run is not None and await store.counts_for_job(session, run)
