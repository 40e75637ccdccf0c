"""The parts that run jobs, together: they start as one, and end in order."""

import asyncio
import socket
from collections.abc import Callable

from kit import ids
from kit.database import Database
from services.agent_runtime.engines.engines import Engines
from services.agent_runtime.jobs.dispatcher import Dispatcher
from services.agent_runtime.jobs.leases import Heartbeat
from services.agent_runtime.jobs.runs import Runs

# How long running jobs may take to end when the service stops.
_GRACE_SECONDS = 5.0


class Runtime:
    """Run with `run()` until cancelled. `database` is the service's own, `relay_url` the same as its relay role."""

    def __init__(
        self,
        engines: Engines,
        database: Database,
        relay_url: str,
        *,
        most_per_agent: int,
        lease_seconds: float,
        on_commit: Callable[[], None],
        grace_seconds: float = _GRACE_SECONDS,
    ) -> None:
        self.engines = engines
        self.runs = Runs(engines, database, on_commit=on_commit, freed=self.wake)
        self.dispatcher = Dispatcher(
            database,
            relay_url,
            engines,
            self.runs,
            worker=f"{socket.gethostname()}-{ids.new_id()}",
            most_per_agent=most_per_agent,
            lease_seconds=lease_seconds,
            on_commit=on_commit,
        )
        self._heartbeat = Heartbeat(relay_url, self.runs, lease_seconds=lease_seconds)
        self._grace_seconds = grace_seconds

    def wake(self) -> None:
        """There is something new, or somebody is free again."""
        self.dispatcher.wake()

    async def run(self) -> None:
        """Never returns. Cancelled, it begins nothing more, gives what runs a few seconds, and stops the rest."""
        dispatcher = asyncio.create_task(self.dispatcher.run())
        heartbeat = asyncio.create_task(self._heartbeat.run())
        engines = asyncio.create_task(self.engines.serve())
        tasks = (dispatcher, heartbeat, engines)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await _end(dispatcher)
            await self.runs.drain(self._grace_seconds)
            await _end(heartbeat)
            await _end(engines)


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
