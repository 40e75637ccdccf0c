"""Edge policies in the database, and what holds for whom."""

import asyncio
import uuid
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from devstack.stack import Stack
from kit import contract
from kit.database import Database
from kit.errors import Conflict, Forbidden, Invalid, NotFound
from opsfield.telemetry.v1.edge_policies_pb2 import (
    Check,
    Collector,
    CreateEdgePolicyRequest,
    DeleteEdgePolicyRequest,
    EdgePolicy,
    EffectivePolicy,
    GetEffectivePolicyRequest,
    ListEdgePoliciesRequest,
    ReplaceEdgePolicyRequest,
    Threshold,
    UpdateEdgePolicyRequest,
)
from services.telemetry.edge_policies import store
from services.telemetry.edge_policies.effective import Policies, Policy, _Recent
from services.telemetry.edge_policies.handlers import EdgePolicyHandlers
from services.telemetry.edge_policies.kind import EDGE_POLICIES
from services.telemetry.tests.fleet import ENGINEER, Workspace, counted

AGENT = frozenset({"endpoint_agent"})
BOOKKEEPING = {"workspace_id", "deleted_at", "search"}
DISK = Threshold(name="disk", metric="disk.used_percent", operator=Threshold.ABOVE, raise_at=80)
WEB = Check(name="web", type=Check.HTTP, target="https://example.com")


class Handlers:
    """The handlers of one process, called in a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.policies = Policies()
        self.handlers = EdgePolicyHandlers(EDGE_POLICIES, (EDGE_POLICIES,), self.policies)

    async def create(self, **fields: Any) -> Any:
        async with self.workspace.work() as work:
            return await self.handlers.create(CreateEdgePolicyRequest(edge_policy=EdgePolicy(**fields)), work)

    async def update(self, policy: Any, *paths: str, **fields: Any) -> Any:
        request = UpdateEdgePolicyRequest(
            id=policy.id, edge_policy=EdgePolicy(**fields), update_mask=FieldMask(paths=paths or list(fields))
        )
        async with self.workspace.work() as work:
            return await self.handlers.update(request, work)

    async def replace(self, policy: Any, **fields: Any) -> Any:
        async with self.workspace.work() as work:
            request = ReplaceEdgePolicyRequest(id=policy.id, edge_policy=EdgePolicy(**fields))
            return await self.handlers.replace(request, work)

    async def delete(self, policy: Any) -> None:
        async with self.workspace.work() as work:
            await self.handlers.delete(DeleteEdgePolicyRequest(id=policy.id), work)

    async def list(self, **query: Any) -> Any:
        async with self.workspace.reading() as session:
            return await self.handlers.page(ListEdgePoliciesRequest(**query), session)

    async def effective(
        self, agent_id: str | None = None, *, roles: frozenset[str] = ENGINEER, own: str | None = None
    ) -> EffectivePolicy:
        """As a caller with these roles, whose own agent is `own`."""
        async with self.workspace.reading(roles, own) as session:
            return await self.handlers.get_effective_policy(GetEffectivePolicyRequest(agent_id=agent_id), session)

    async def of(self, agent: Any) -> Policy:
        async with self.workspace.reading() as session:
            return await self.policies.of(session, client_id=agent.client_id, site_id=agent.site_id, agent_id=agent.id)

    async def revision(self) -> int:
        async with self.workspace.reading() as session:
            return await store.revision(session)


@pytest.fixture
def edge(acme: Workspace) -> Handlers:
    return Handlers(acme)


async def test_a_policy_is_kept_as_it_was_sent(edge: Handlers) -> None:
    threshold = Threshold(name="disk", metric="disk.free_bytes", operator=Threshold.BELOW, raise_at=-1e300)
    created = await edge.create(
        scope=EdgePolicy.WORKSPACE,
        send_seconds=5,
        offline_alerts=False,
        collectors=[Collector.DISK, Collector.CPU],
        thresholds=[threshold],
        checks=[WEB],
    )
    assert (created.version, created.created_by) == (1, "ada")
    assert list(created.thresholds) == [threshold]
    assert (list(created.checks), list(created.collectors)) == ([WEB], [Collector.DISK, Collector.CPU])
    assert (created.offline_alerts, created.HasField("offline_alerts"), created.HasField("scope_id")) == (
        False, True, False
    )  # fmt: skip
    [listed] = (await edge.list(scope=EdgePolicy.WORKSPACE, q="EXAMPLE.com", sort_by="scope")).data
    assert listed == created


async def test_all_rpcs_of_the_service_have_a_handler(edge: Handlers) -> None:
    service = "opsfield.telemetry.v1.EdgePolicyService"
    paths = {each.path for each in contract.owned_by("telemetry") if service in each.path}
    assert set(edge.handlers.by_path()) == paths
    assert len(paths) == 7


async def test_each_scope_has_one_policy_at_most(edge: Handlers) -> None:
    client = str(uuid.uuid4())
    workspace = await edge.create(scope=EdgePolicy.WORKSPACE)
    await edge.create(scope=EdgePolicy.CLIENT, scope_id=client)
    await edge.create(scope=EdgePolicy.SITE, scope_id=client)
    for fields in ({"scope": EdgePolicy.WORKSPACE}, {"scope": EdgePolicy.CLIENT, "scope_id": client}):
        with pytest.raises(Conflict) as refused:
            await edge.create(**fields)
        assert (refused.value.code, [each.path for each in refused.value.errors]) == ("already-exists", ["scopeId"])
    await edge.delete(workspace)
    await edge.create(scope=EdgePolicy.WORKSPACE)


async def test_of_two_policies_for_one_scope_at_once_one_is_refused(edge: Handlers) -> None:
    outcomes = await asyncio.gather(
        *(edge.create(scope=EdgePolicy.WORKSPACE) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(each, EdgePolicy) for each in outcomes) == 1
    assert {type(each) for each in outcomes} == {EdgePolicy, Conflict}


async def test_whom_it_is_for_does_not_change(edge: Handlers) -> None:
    policy = await edge.create(scope=EdgePolicy.CLIENT, scope_id=str(uuid.uuid4()))
    with pytest.raises(Invalid):
        await edge.update(policy, scope_id=str(uuid.uuid4()))
    with pytest.raises(Invalid):
        await edge.replace(policy, scope=EdgePolicy.WORKSPACE)
    assert (await edge.update(policy, send_seconds=9)).version == 2


async def test_a_policy_for_an_agent_that_is_not_there_is_refused(edge: Handlers, other: Workspace) -> None:
    foreign = await other.agent()
    for agent_id in (foreign.id, str(uuid.uuid4())):
        with pytest.raises(Invalid) as refused:
            await edge.create(scope=EdgePolicy.AGENT, scope_id=agent_id)
        assert [each.path for each in refused.value.errors] == ["scopeId"]


async def test_a_part_of_a_list_cannot_be_named(edge: Handlers) -> None:
    policy = await edge.create(scope=EdgePolicy.WORKSPACE, thresholds=[DISK])
    with pytest.raises(Invalid) as refused:
        await edge.update(policy, "thresholds.raise_at", thresholds=[DISK])
    assert [each.path for each in refused.value.errors] == ["thresholds.raise_at"]


async def test_the_nearest_policies_hold_for_an_agent(edge: Handlers, acme: Workspace) -> None:
    client, site = str(uuid.uuid4()), str(uuid.uuid4())
    here = await acme.agent(client_id=client, site_id=site)
    there = await acme.agent(client_id=client)
    away = await acme.agent()
    everyone = (here, there, away)

    async def sends() -> list[int]:
        return [(await edge.of(each)).message.send_seconds for each in everyone]

    assert await sends() == [30, 30, 30]
    await edge.create(scope=EdgePolicy.WORKSPACE, send_seconds=100)
    assert await sends() == [100, 100, 100]
    of_client = await edge.create(scope=EdgePolicy.CLIENT, scope_id=client, send_seconds=200)
    assert await sends() == [200, 200, 100]
    await edge.create(scope=EdgePolicy.SITE, scope_id=site, send_seconds=300)
    own = await edge.create(scope=EdgePolicy.AGENT, scope_id=here.id, send_seconds=400)
    assert await sends() == [400, 200, 100]
    await edge.delete(own)
    assert await sends() == [300, 200, 100]
    await edge.update(of_client, "send_seconds")
    assert await sends() == [300, 100, 100]


async def test_a_policy_is_ready_for_use(edge: Handlers, acme: Workspace) -> None:
    agent = await acme.agent()
    await edge.create(
        scope=EdgePolicy.WORKSPACE,
        offline_after_seconds=10,
        offline_alert_seconds=0,
        offline_alerts=False,
        thresholds=[DISK],
        checks=[WEB],
    )
    policy = await edge.of(agent)
    assert (policy.offline_after.total_seconds(), policy.offline_alert_after.total_seconds()) == (60, 0)
    assert not policy.offline_alerts
    assert [each.name for each in policy.by_metric["disk.used_percent"]] == ["disk", "disk-space"]
    assert policy.checks["web"].failures == 2
    assert policy.message.checks[0] == Check(
        name="web", type=Check.HTTP, target="https://example.com", every_seconds=60, timeout_seconds=5,
        failures_before_alert=2, severity=Threshold.HIGH,
    )  # fmt: skip
    assert policy.message.thresholds[1].clear_at == 80


async def test_the_version_is_of_what_it_says(edge: Handlers, other: Workspace) -> None:
    before = await edge.effective()
    assert 0 < before.version < 2**53
    assert (await Handlers(other).effective()).version == before.version
    policy = await edge.create(scope=EdgePolicy.WORKSPACE, send_seconds=31)
    changed = await edge.effective()
    assert changed.version != before.version
    await edge.update(policy, send_seconds=30)
    assert await edge.effective() == before


async def test_a_change_holds_at_once_on_every_replica(edge: Handlers, acme: Workspace) -> None:
    replicas = [edge, *(Handlers(acme) for _ in range(2))]
    policy = await edge.create(scope=EdgePolicy.WORKSPACE, send_seconds=5)
    for seconds in range(6, 12):
        await replicas[seconds % 3].update(policy, send_seconds=seconds)
        assert [(await each.effective()).send_seconds for each in replicas] == [seconds] * 3


async def test_the_revision_grows_with_each_change_and_with_nothing_else(edge: Handlers) -> None:
    assert await edge.revision() == 0
    policy = await edge.create(scope=EdgePolicy.WORKSPACE, send_seconds=5)
    assert await edge.revision() == 1
    await edge.update(policy, send_seconds=5)
    assert await edge.revision() == 1
    await edge.replace(policy, scope=EdgePolicy.WORKSPACE)
    assert await edge.revision() == 2
    with pytest.raises(Conflict):
        await edge.create(scope=EdgePolicy.WORKSPACE)
    assert await edge.revision() == 2
    await edge.delete(policy)
    assert await edge.revision() == 3


async def test_what_is_known_costs_one_query(edge: Handlers, acme: Workspace) -> None:
    """However many agents there are, those without a policy of their own share one."""
    await edge.create(scope=EdgePolicy.WORKSPACE, send_seconds=5)
    agents = [await acme.agent(f"host-{each}") for each in range(20)]
    await edge.of(agents[0])
    async with acme.reading() as session:
        with counted(session) as queries:
            policies = [
                await edge.policies.of(session, client_id=each.client_id, site_id=each.site_id, agent_id=each.id)
                for each in agents
            ]
    assert len([each for each in queries if "policy_revisions" in each]) == 20
    assert [each for each in queries if "edge_policies" in each] == []
    assert len({id(each) for each in policies}) == 1


def test_what_was_used_last_is_kept() -> None:
    recent: _Recent[str, int] = _Recent(2)
    recent.keep("a", 1)
    recent.keep("b", 2)
    assert recent.get("a") == 1
    recent.keep("c", 3)
    assert [recent.get(each) for each in "abc"] == [1, None, 3]
    recent.keep("c", 4)
    assert [recent.get(each) for each in "ac"] == [1, 4]


async def test_an_agent_gets_its_own_policy_only(edge: Handlers, acme: Workspace) -> None:
    own, another = await acme.agent(), await acme.agent()
    await edge.create(scope=EdgePolicy.AGENT, scope_id=own.id, send_seconds=7)
    assert (await edge.effective(roles=AGENT, own=own.id)).send_seconds == 7
    assert (await edge.effective(own.id, roles=AGENT, own=own.id)).send_seconds == 7
    with pytest.raises(Forbidden) as refused:
        await edge.effective(another.id, roles=AGENT, own=own.id)
    assert refused.value.code == "agent-not-own"


async def test_an_agent_that_is_not_known_gets_none(edge: Handlers, acme: Workspace, other: Workspace) -> None:
    revoked, foreign = await acme.agent(state="revoked"), await other.agent()
    for agent_id in (revoked.id, foreign.id, str(uuid.uuid4()), "no-uuid", None):
        with pytest.raises(Forbidden) as refused:
            await edge.effective(roles=AGENT, own=agent_id)
        assert refused.value.code == "agent-unknown"
    for agent_id in (revoked.id, foreign.id, str(uuid.uuid4())):
        with pytest.raises(Invalid):
            await edge.effective(agent_id)


async def test_staff_get_that_of_any_agent_or_of_the_workspace(edge: Handlers, acme: Workspace) -> None:
    agent = await acme.agent()
    await edge.create(scope=EdgePolicy.AGENT, scope_id=agent.id, send_seconds=7)
    for role in ("viewer", "ops_engineer", "msp_admin"):
        assert (await edge.effective(agent.id, roles=frozenset({role}))).send_seconds == 7
        assert (await edge.effective(roles=frozenset({role}))).send_seconds == 30


async def test_another_workspaces_policies_are_never_seen(edge: Handlers, other: Workspace) -> None:
    client = str(uuid.uuid4())
    policy = await edge.create(scope=EdgePolicy.CLIENT, scope_id=client, send_seconds=5)
    await edge.create(scope=EdgePolicy.WORKSPACE, send_seconds=6)
    elsewhere = Handlers(other)
    elsewhere.policies = edge.policies
    agent = await other.agent(client_id=client)
    assert (await elsewhere.of(agent)).message.send_seconds == 30
    assert (await elsewhere.list()).page.total == 0
    with pytest.raises(NotFound):
        await elsewhere.update(policy, send_seconds=9)
    assert await elsewhere.revision() == 0


async def test_the_table_is_what_the_message_says(acme: Workspace) -> None:
    rows = await acme.admin.fetch(
        "SELECT column_name, is_nullable FROM information_schema.columns WHERE table_name = 'edge_policies'"
    )
    assert {row["column_name"] for row in rows} == {*EDGE_POLICIES.columns, *BOOKKEEPING}
    nullable = {row["column_name"] for row in rows if row["is_nullable"] == "YES"} - {"deleted_at"}
    assert nullable == set(EDGE_POLICIES.nullable)
    for name, enum in (("scope", "edge_policy_scope"), ("collectors", "edge_collector")):
        words = await acme.admin.fetchval(f"SELECT enum_range(NULL::{enum})::text[]")
        assert words == list(contract.enum_words(EDGE_POLICIES.descriptor.fields_by_name[name]))


async def test_policies_that_change_all_the_time_are_never_mixed_up(
    edge: Handlers, acme: Workspace, bare_stack: Stack
) -> None:
    """Whoever asks after a change was committed gets what it said, or what a later one did."""
    policy = await edge.create(scope=EdgePolicy.WORKSPACE, send_seconds=5)
    agent = await acme.agent()
    committed = 5

    async def change() -> None:
        nonlocal committed
        for seconds in range(6, 60):
            await edge.update(policy, send_seconds=seconds)
            committed = seconds

    async def ask(replica: Handlers) -> None:
        while committed < 59:
            least = committed
            assert (await replica.of(agent)).message.send_seconds >= least

    reading = await Database.connect(bare_stack.database_url("telemetry"), size=4)
    replicas = [Handlers(Workspace(acme.id, reading, acme.admin)) for _ in range(3)]
    await asyncio.gather(change(), *map(ask, replicas))
    await reading.close()
