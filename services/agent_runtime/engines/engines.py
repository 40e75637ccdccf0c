"""All engines together, as one place to find what runs an agent."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.agent_runtime.engines.port import Agent, Engine
from services.agent_runtime.reasoners.reasoner import Description


@dataclass(frozen=True)
class Found:
    """A reasoner and what runs it."""

    engine: Engine
    reasoner: Description


class Engines:
    """In the order in which they are asked for an agent: the first that has it, and the last for those that none has.
    The first one is the one that the platform stands on."""

    def __init__(self, *engines: Engine) -> None:
        self.all = engines

    @property
    def first(self) -> Engine:
        return self.all[0]

    def of(self, agent: str) -> Engine:
        return next((engine for engine in self.all if engine.has(agent)), self.all[-1])

    def hindrance(self, workspace_id: str, agent: str) -> str | None:
        """Why nothing of that agent can be begun there now, in a sentence; None: it can."""
        return self.of(agent).hindrance(workspace_id, agent)

    def whose(self, workspace_id: str, agent: str) -> tuple[str | None, str]:
        """What the agent is counted as, when no more of its runs than so many may go on at a time: one of that
        workspace, or (None) of all of them."""
        return (workspace_id if self.of(agent).is_per_workspace else None), agent

    async def find(self, workspace_id: str, agent: str, reasoner: str) -> Found | None:
        """Raises Unavailable when it cannot be told now."""
        engine = self.of(agent)
        found = await engine.find(workspace_id, agent, reasoner)
        return Found(engine, found) if found else None

    async def agents(self, workspace_id: str) -> Sequence[Agent]:
        """All of all engines, by name. Raises Unavailable."""
        found = [agent for engine in self.all for agent in await engine.agents(workspace_id)]
        return sorted(found, key=lambda agent: agent.name)

    async def serve(self) -> None:
        """Whatever they do beside running tasks, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for engine in self.all:
                group.create_task(engine.serve())
