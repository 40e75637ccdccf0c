"""Keys of remote agents: what they open, and what not."""

import asyncio
from typing import Any

import asyncpg
import pytest

from kit.errors import Problem
from opsfield.agent_runtime.v1 import nodes_pb2
from services.agent_runtime.nodes.limits import NodeLimits
from services.agent_runtime.tests.nodes import a_node, raw, says
from services.agent_runtime.tests.workspace import Start
from tests.callers import refused


async def test_of_a_key_only_a_hash_is_stored(start: Start, workspace_of: Any, agents_of: Any, admin: Any) -> None:
    async with start() as running, a_node() as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        key, key_id = await agents.new_key()
        assert key.startswith(f"{acme.id}.agent_")
        await agents.register(node)
    row = await admin.fetchrow("SELECT * FROM agent_keys")
    assert str(row["id"]) == key_id
    assert row["last_used_at"] is not None
    for table in ("agent_keys", "nodes", "audit_entries", "outbox"):
        text = await admin.fetchval(f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} AS t")
        assert key.partition("agent_")[2] not in text
    audited = await admin.fetchrow(
        "SELECT * FROM audit_entries WHERE resource_id = 'inventory' AND workspace_id = $1", acme.id
    )
    assert audited["subject"] == f"agent-key:{key_id}"


@pytest.mark.parametrize("forged", ["", "x", "{workspace}.", "{workspace}.agent_", "{key}x", "{other}", "{moved}"])
async def test_what_is_no_key_is_refused(start: Start, workspace_of: Any, agents_of: Any, forged: str) -> None:
    async with start() as running, a_node() as node:
        acme, bravo = workspace_of(running), workspace_of(running)
        agents = agents_of(acme, running)
        key, _ = await agents.new_key()
        other, _ = await agents_of(bravo, running).new_key()
        moved = f"{acme.id}.{other.partition('.')[2]}"
        text = forged.format(workspace=acme.id, key=key, other=other, moved=moved)
        async with refused(401, "agent-key-refused"):
            # As an argument of its own: none would be the agents' own key.
            await agents._tell("register_node", _registration(node), text)


def _registration(node: Any) -> Any:
    return nodes_pb2.RegisterNodeRequest(node=raw({"id": "inventory", "base_url": node.url}))


async def test_a_key_that_has_expired_is_none(start: Start, workspace_of: Any, agents_of: Any, admin: Any) -> None:
    async with start() as running, a_node() as node:
        agents = agents_of(workspace_of(running), running)
        await agents.new_key(valid_days=1)
        await agents.register(node)
        await admin.execute("UPDATE agent_keys SET expires_at = now() - interval '1 second'")
        async with refused(401, "agent-key-refused"):
            await agents.heartbeat()
        # Another key may take its place.
        await agents.new_key()
        await agents.register(node, instance="two")


async def test_revoking_a_key_ends_what_its_agents_do(
    start: Start, workspace_of: Any, agents_of: Any, admin: Any
) -> None:
    async with start() as running, a_node() as node, a_node(says({})) as successor:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        _, key_id = await agents.new_key()
        await agents.register(node)
        execution = await acme.ask("inventory.count")
        lease = (await node.run()).lease
        await agents.revoke(key_id)
        await agents.revoke(key_id)
        job = await acme.until(execution, "waiting", tries=1)
        assert job["reason"] == "The key of the agent inventory was revoked."
        for tell in (agents.heartbeat(), agents.register(node), agents.report(lease), agents.shut_down(1)):
            async with refused(401, "agent-key-refused"):
                await tell
        await agents.new_key()
        await agents.register(successor, instance="two")
        assert (await acme.finished(execution))["tries"] == 2
    assert len(node.runs) == 1


async def test_a_name_belongs_to_the_key_that_registered_it(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start() as running, a_node() as node, a_node() as intruder:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.new_key()
        await agents.register(node)
        another, _ = await agents_of(acme, running).new_key()
        async with refused(409, "node-of-another-key"):
            await agents.register(intruder, instance="two", key=another)
        async with refused(403, "node-of-another-key"):
            await agents.heartbeat(key=another)
        await agents.register(intruder, key=another, id="inventory-2")
        await acme.ask("inventory.count")
        await node.run()
    assert intruder.runs == []


async def test_names_of_built_in_agents_are_taken(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start() as running, a_node() as node:
        agents = agents_of(workspace_of(running), running)
        for name in ("triage", "smoke", "billing"):
            async with refused(409, "node-name-taken"):
                await agents.register(node, id=name)


async def test_a_workspace_has_so_many_agents_at_most(
    start: Start, workspace_of: Any, agents_of: Any, admin: Any
) -> None:
    async with start(limits=NodeLimits(silence_seconds=60, most_nodes=2)) as running, a_node() as node:
        agents = agents_of(workspace_of(running), running)
        for name in ("one", "two", "one"):
            await agents.register(node, id=name)
        async with refused(409, "too-many-nodes"):
            await agents.register(node, id="three")
        await admin.execute("UPDATE nodes SET last_heard_at = now() - interval '8 days' WHERE name = 'one'")
        await agents.register(node, id="three")
        assert [each.name for each in await running.nodes.engine.agents(agents.workspace)] == ["three", "two"]


async def test_workspaces_see_their_own_agents_only(
    start: Start, workspace_of: Any, agents_of: Any, bare_stack: Any
) -> None:
    async with start() as running, a_node(says({"from": "a"})) as first, a_node(says({"from": "b"})) as second:
        acme, bravo = workspace_of(running), workspace_of(running)
        await agents_of(acme, running).register(first)
        assert await running.nodes.engine.agents(bravo.id) == []
        assert await running.nodes.engine.find(bravo.id, "inventory", "count") is None
        await agents_of(bravo, running).register(second)
        assert (await acme.finished(await acme.ask("inventory.count")))["output"] == {"from": "a"}
        assert (await bravo.finished(await bravo.ask("inventory.count")))["output"] == {"from": "b"}
        connection = await asyncpg.connect(bare_stack.database_url("agent-runtime"))
        try:
            for table in ("agent_keys", "nodes", "remote_runs"):
                assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
        finally:
            await connection.close()


async def test_two_who_register_one_name_at_once_agree(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start() as running, a_node() as node:
        acme = workspace_of(running)
        callers = [agents_of(acme, running) for _ in range(6)]
        for each in callers:
            await each.new_key()
        results = await asyncio.gather(*(each.register(node) for each in callers), return_exceptions=True)
    problems = [each for each in results if isinstance(each, Problem)]
    assert len(problems) == 5
    assert {each.code for each in problems} == {"node-of-another-key"}
