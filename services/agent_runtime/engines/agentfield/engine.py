"""The engine that runs executions at AgentField's control plane: which agents there are, and how it is."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from time import monotonic

from kit.database import Database
from kit.errors import Problem, Unavailable
from kit.logs import get_logger
from services.agent_runtime.engines.agentfield.abandoned import AbandonedSweep
from services.agent_runtime.engines.agentfield.callback import Callback
from services.agent_runtime.engines.agentfield.catalogue import NAME, Catalogue
from services.agent_runtime.engines.agentfield.client import ControlPlane, ControlPlaneError
from services.agent_runtime.engines.agentfield.records import Records
from services.agent_runtime.engines.agentfield.runner import Runner
from services.agent_runtime.engines.agentfield.waits import Waits
from services.agent_runtime.engines.port import Agent, Json, Outcome, Task
from services.agent_runtime.reasoners.reasoner import Description

_LOADED_WITHIN_SECONDS = 5.0
_PAUSE_SECONDS = 0.5

log = get_logger(__name__)


class AgentFieldEngine:
    """`taken`: names of agents that are others'. `slots`: how many executions it runs at a time; `timeout_seconds`: how
    long one may take. `patience_seconds`: how long a try goes on while the control plane is full, or cannot be reached,
    before the job is put back."""

    name = NAME
    is_per_workspace = False

    def __init__(
        self,
        control_plane: ControlPlane,
        database: Database,
        relay_url: str,
        callback: Callback | None,
        *,
        taken: Collection[str],
        slots: int,
        timeout_seconds: int,
        refresh_seconds: float = 3.0,
        patience_seconds: float = 60.0,
    ) -> None:
        self.version = ""
        self._control_plane = control_plane
        self._records = Records(database)
        self._waits = Waits(relay_url)
        self._runner = Runner(control_plane, self._records, callback, self._waits, patience_seconds=patience_seconds)
        self._abandoned = AbandonedSweep(relay_url, control_plane, self._records)
        self._taken = taken
        self._catalogue = Catalogue(taken, timeout_seconds=timeout_seconds)
        self._slots = slots
        self._refresh_seconds = refresh_seconds
        self._loaded = asyncio.Event()
        self._reachable: bool | None = None
        self._running = 0

    @property
    def slots(self) -> int:
        """None before it is known which agents there are."""
        return self._slots if self._loaded.is_set() else 0

    @property
    def workers(self) -> int:
        """The control plane is all that is seen of those who work."""
        return 1 if self._reachable else 0

    @property
    def busy(self) -> int:
        return min(self._running, self.workers)

    def has(self, agent: str) -> bool:
        if not self._loaded.is_set():
            # It may be: whoever asks waits a moment, instead of being told that there is none.
            return agent not in self._taken
        return self._catalogue.has(agent)

    def hindrance(self, workspace_id: str, agent: str) -> None:
        """None: a try waits by itself while the control plane is away or full."""

    async def find(self, workspace_id: str, agent: str, reasoner: str) -> Description | None:
        """The same for all workspaces. Raises Unavailable at the start, before it is known what there is."""
        del workspace_id
        was_loaded = self._loaded.is_set()
        await self._until_loaded()
        found = self._catalogue.find(agent, reasoner)
        if found is None and not was_loaded:
            raise Unavailable("Agents are still being looked up; try again.", retry_after=1)
        return found

    async def agents(self, workspace_id: str) -> Sequence[Agent]:
        """Raises Unavailable as `find` does."""
        del workspace_id
        await self._until_loaded()
        if self._reachable:
            return self._catalogue.agents
        return [replace(agent, reachable=False) for agent in self._catalogue.agents]

    async def serve(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for work in (self._discover, self._waits.listen, self._abandoned.run):
                    group.create_task(work())
        finally:
            await self._control_plane.close()

    async def run(self, task: Task) -> Outcome:
        """Cancelled, it only stops waiting: what runs over there is ended once the job has ended (abandoned.py), and is
        adopted when the job goes on elsewhere. Raises TimeoutError for what took too long over there."""
        self._running += 1
        try:
            return await self._runner.run(task)
        finally:
            self._running -= 1
            self._abandoned.wake()

    async def _discover(self) -> None:
        """Never returns. What was offered last holds until it is known better, over restarts too: what waits for an
        agent is not to fail because the control plane was away when we started."""
        await self._load()
        while True:
            try:
                if not self._reachable:
                    self.version = await self._control_plane.version()
                await self._take(await self._control_plane.capabilities())
            except ControlPlaneError as error:
                self._note(reachable=False, reason=str(error))
            except Exception as error:
                # Whatever it says, the rest of the runtime goes on.
                log.error("what AgentField offers cannot be read", exc_info=error)
            else:
                self._note(reachable=True)
            await asyncio.sleep(self._refresh_seconds)

    async def _load(self) -> None:
        while True:
            try:
                self._catalogue.take(await self._records.offered(), monotonic())
                self._loaded.set()
                return
            except Problem as problem:
                log.warning("AgentField's agents cannot be looked up", reason=problem.detail)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _take(self, capabilities: list[Json]) -> None:
        if not self._catalogue.take(capabilities, monotonic()):
            return
        log.info("AgentField's agents", agents=sorted(agent.name for agent in self._catalogue.agents))
        try:
            await self._records.save_offered(self._catalogue.told)
        except Exception as error:
            # Whatever is wrong with it, what is in memory holds.
            log.warning("AgentField's agents are not kept for the next start", exc_info=error)

    def _note(self, *, reachable: bool, reason: str = "") -> None:
        if reachable != self._reachable:
            say = log.info if reachable else log.warning
            say("AgentField's control plane", reachable=reachable, version=self.version, reason=reason)
        self._reachable = reachable

    async def _until_loaded(self) -> None:
        try:
            async with asyncio.timeout(_LOADED_WITHIN_SECONDS):
                await self._loaded.wait()
        except TimeoutError:
            raise Unavailable("Agents cannot be looked up at the moment; try again.", retry_after=1) from None
