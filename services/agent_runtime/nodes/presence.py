"""Which nodes are there. What a node that is silent ran is lost; what waits for one waits until it is back.

A runtime that starts, or finds its database again, lets nodes be silent once more for as long as they may: an SDK that
has found nobody tries again after 10 s.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC

from kit.database import DATABASE_ERRORS, Database, relay_connection
from kit.errors import Problem
from kit.logs import get_logger
from kit.unit_of_work import unit_of_work
from services.agent_runtime.jobs import callers
from services.agent_runtime.jobs.store import RelayConnection
from services.agent_runtime.nodes import store
from services.agent_runtime.nodes.leaving import Leaving
from services.agent_runtime.nodes.limits import NodeLimits

_PAUSE_SECONDS = 0.5
_NEVER = 1e9

log = get_logger(__name__)


class Presence:
    """Run with `run()` until cancelled, in each replica."""

    def __init__(self, database: Database, relay_url: str, leaving: Leaving, limits: NodeLimits) -> None:
        self._database = database
        self._relay_url = relay_url
        self._leaving = leaving
        self._limits = limits
        self._away: Mapping[tuple[str, str], str] | None = None
        # While nobody listened, nodes may have spoken: their silence counts from then on.
        self._judges_from = 0.0

    def hindrance(self, workspace_id: str, name: str) -> str | None:
        """Why nothing can be given to the node now, in a sentence, as of half a second ago; None: something can."""
        if self._away is None:
            return f"It is not known yet whether the agent {name} is there."
        return self._away.get((workspace_id, name))

    async def run(self) -> None:
        """Never returns; trouble with the database is logged and tried again."""
        while True:
            try:
                async with relay_connection(self._relay_url) as connection:
                    self._judges_from = self._time() + self._limits.silence_seconds
                    while True:
                        await self.look(connection)
                        await asyncio.sleep(_PAUSE_SECONDS)
            except DATABASE_ERRORS as error:
                log.warning("nodes are not watched", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(_PAUSE_SECONDS)

    async def look(self, connection: RelayConnection) -> None:
        """Once. Raises database errors."""
        silence = self._limits.silence_seconds
        away = await store.away(connection, silence)
        self._away = {(each.workspace_id, each.name): _sentence(each) for each in away}
        judges = self._time() >= self._judges_from
        for workspace_id, name in await store.losing(connection, silence if judges else _NEVER):
            try:
                await self._lose(workspace_id, name)
            except (Problem, *DATABASE_ERRORS) as error:
                log.warning("runs of a node are not lost yet", workspace=workspace_id, node=name, error=str(error))

    @staticmethod
    def _time() -> float:
        return asyncio.get_running_loop().time()

    async def _lose(self, workspace_id: str, name: str) -> None:
        call = callers.of_workspace(workspace_id)
        async with unit_of_work(self._database, call, service=callers.SERVICE) as work:
            node = await store.lock(work, name, self._limits.silence_seconds)
            # It may have been heard of meanwhile.
            if node is None or not (node.is_silent or node.state == "left"):
                return
            how = "has left" if node.state == "left" else "has not been heard of"
            lost = await self._leaving.lose(work, name, f"The agent {name} {how} while it ran it.")
        if lost:
            log.warning("runs of a node are lost", workspace=workspace_id, node=name, runs=lost)


def _sentence(away: store.Away) -> str:
    since = f"{away.last_heard_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if away.state == "left":
        return f"The agent {away.name} has left; it was heard of last at {since}."
    if away.is_unreachable:
        return f"The agent {away.name} could not be reached at its address; it was heard of last at {since}."
    return f"The agent {away.name} has not been heard of since {since}."
