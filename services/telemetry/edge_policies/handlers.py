"""EdgePolicyService."""

from collections.abc import Sequence

from kit.database import Session
from kit.errors import FieldError, Forbidden, Invalid
from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Kind, Row
from kit.unit_of_work import UnitOfWork
from opsfield.telemetry.v1.edge_policies_pb2 import EffectivePolicy, GetEffectivePolicyRequest
from services.telemetry.agents.speaking import agent_of, is_agent
from services.telemetry.edge_policies import store
from services.telemetry.edge_policies.effective import Policies

# Whoever has none of these asks as an agent.


class EdgePolicyHandlers(ResourceHandlers):
    """The standard rpcs, and the policy that holds."""

    def __init__(self, kind: Kind, kinds: Sequence[Kind], policies: Policies) -> None:
        super().__init__(kind, kinds)
        self._policies = policies

    async def consider(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        """An agent is known here; clients and sites are another service's."""
        if before is None and after["scope"] == "agent" and await store.agent(work, after["scope_id"]) is None:
            raise Invalid.fields(FieldError("scopeId", "names nothing among this workspace's agents"))

    async def follow(self, work: UnitOfWork, before: Row | None, after: Row) -> None:
        await store.grow_revision(work)

    async def before_delete(self, work: UnitOfWork, row: Row) -> None:
        await store.grow_revision(work)

    async def get_effective_policy(self, request: GetEffectivePolicyRequest, session: Session) -> EffectivePolicy:
        principal = session.call.principal
        agent_id = agent_of(principal, request.agent_id if request.HasField("agent_id") else None)
        if agent_id is None:
            return (await self._policies.of_workspace(session)).message
        agent = await store.agent(session, agent_id)
        if agent is None or agent["state"] != "active":
            if is_agent(principal):
                raise Forbidden("The agent is not known, or no longer.", code="agent-unknown")
            raise Invalid.fields(FieldError("agentId", "names no active agent of this workspace"))
        policy = await self._policies.of(
            session, client_id=agent["client_id"], site_id=agent["site_id"], agent_id=agent_id
        )
        return policy.message
