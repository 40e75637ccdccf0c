"""Agents of one site that fall silent and are heard of again, in the tests' own time."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from kit import clock
from opsfield.telemetry.v1.edge_policies_pb2 import CreateEdgePolicyRequest, EdgePolicy
from services.telemetry.agents.known import KnownAgent
from services.telemetry.detection.silence import SilenceSweep, heard
from services.telemetry.edge_policies.effective import Policies
from services.telemetry.edge_policies.handlers import EdgePolicyHandlers
from services.telemetry.edge_policies.kind import EDGE_POLICIES
from services.telemetry.tests.fleet import KNOWN, NOW, Told, Workspace, known_agent

OFFLINE_AFTER = timedelta(seconds=120)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class Site:
    """Agents of one site of one client, and a sweep that looks at them every few seconds of the tests' time."""

    def __init__(self, workspace: Workspace, sweep: SilenceSweep) -> None:
        self.workspace = workspace
        self.sweep = sweep
        self.client_id, self.site_id = str(uuid.uuid4()), str(uuid.uuid4())
        self.agents: dict[str, KnownAgent] = {}

    async def enroll(self, count: int, prefix: str = "host") -> list[KnownAgent]:
        """So many agents that are online and were heard of right now."""
        new = [
            await self.workspace.agent(
                f"{prefix}-{place}",
                client_id=self.client_id,
                site_id=self.site_id,
                last_seen_at=NOW,
                silent_at=NOW + OFFLINE_AFTER,
            )
            for place in range(count)
        ]
        self.agents |= {each.id: each for each in new}
        return new

    async def hear(self, *agents: KnownAgent, seconds: float) -> None:
        """Batches of these agents come in."""
        for agent in agents:
            await self.take_in(agent.id, seconds=seconds)

    async def take_in(self, agent_id: str, *, seconds: float) -> None:
        """A batch comes in, as ingest takes it."""
        with clock.at(at(seconds)):
            async with self.workspace.work() as work:
                known = await work.fetchrow(f"{KNOWN} FOR UPDATE", self.workspace.id, agent_id)
                assert known is not None
                if known["connectivity"] != "online":
                    await heard(work, known_agent(dict(known)))
                await work.execute(
                    "UPDATE agents SET connectivity = 'online', last_seen_at = $3, silent_at = $4 "
                    "WHERE workspace_id = $1 AND id = $2",
                    self.workspace.id,
                    agent_id,
                    work.now,
                    work.now + OFFLINE_AFTER,
                )

    async def sweep_at(self, *seconds: float) -> None:
        for each in seconds:
            with clock.at(at(each)):
                assert await self.sweep.once()

    async def states(self) -> dict[str, str]:
        """Connectivity by host's name."""
        known = [await self.workspace.known(each) for each in self.agents]
        return {each.hostname: each.connectivity for each in known}

    async def conditions(self) -> list[str]:
        """What was told of conditions, in its order: a title, or `-` and the end of a fingerprint."""
        return [_said(each) for each in await self.workspace.told("condition-")]


def _said(told: Told) -> str:
    return str(told.data["title"]) if told.topic == "condition-raised" else f"-{told.key.rpartition('/')[2]}"


async def set_policy(workspace: Workspace, **fields: Any) -> None:
    handlers = EdgePolicyHandlers(EDGE_POLICIES, (), Policies())
    fields = {"scope": EdgePolicy.WORKSPACE, **fields}
    async with workspace.work() as work:
        await handlers.create(CreateEdgePolicyRequest(edge_policy=EdgePolicy(**fields)), work)
