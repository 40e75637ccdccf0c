"""Remote agents that are started again, fall silent, leave and come back; and runtimes that are gone meanwhile."""

import asyncio
from typing import Any

from services.agent_runtime.nodes.limits import NodeLimits
from services.agent_runtime.tests.nodes import a_node, says
from services.agent_runtime.tests.workspace import Start
from tests.callers import eventually, refused

SOON = NodeLimits(silence_seconds=4)


async def test_started_again_it_gets_what_it_ran(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start() as running, a_node() as node, a_node() as successor:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node)
        executions = [await acme.ask("inventory.count") for _ in range(2)]
        leases = [(await node.run(number)).lease for number in (1, 2)]
        # The same instance again loses nothing.
        await agents.register(node)
        assert [(await acme.job(each))["lease"] is not None for each in executions] == [True, True]
        await agents.register(successor, instance="two")
        for number in (1, 2):
            await agents.report((await successor.run(number)).lease, result={"count": number})
        told = [await acme.finished(each) for each in executions]
        assert [(each["outcome"], each["tries"]) for each in told] == [("succeeded", 2)] * 2
        # What the earlier instance tells now counts for nobody.
        for lease in leases:
            async with refused(409, "execution-ended"):
                await agents.report(lease, result={"count": 99})
            async with refused(409):
                await agents.report(lease, "failed")
        assert [len(await acme.all_finished(each)) for each in executions] == [1, 1]
        # It was not told to stop: it is not there any more.
        assert len(node.runs) == 2


async def test_started_again_and_again_it_fails_with_its_reason(
    start: Start, workspace_of: Any, agents_of: Any
) -> None:
    async with start() as running, a_node() as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node, instance="0")
        execution = await acme.ask("inventory.count")
        for number in (1, 2, 3):
            await node.run(number)
            await agents.register(node, instance=str(number))
        told = await acme.finished(execution)
        assert (await acme.job(execution))["state"] == "dead"
    assert (told["outcome"], told["failureCode"], told["tries"]) == ("failed", "worker_lost", 3)
    assert told["failureDetail"] == "The agent inventory was started again."


async def test_silent_it_loses_what_it_runs_and_gets_it_when_it_is_back(
    start: Start, workspace_of: Any, agents_of: Any
) -> None:
    async with start(limits=SOON) as running, a_node() as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node)
        execution = await acme.ask("inventory.count")
        lease = (await node.run()).lease
        job = await acme.until(execution, "waiting", tries=1)
        assert job["reason"] == "The agent inventory has not been heard of while it ran it."
        (listed,) = [each for each in await running.runtime.engines.agents(acme.id) if each.engine == "remote"]
        assert (listed.name, listed.reachable) == ("inventory", False)
        assert [each.name for each in listed.reasoners] == ["count", "free", "double"]
        # It is not given again, and costs no try, as long as nothing is heard.
        await asyncio.sleep(2)
        assert ((await acme.job(execution))["tries"], len(node.runs)) == (1, 1)
        async with refused(409):
            await agents.report(lease, result={})
        async with agents.alive():
            second = (await node.run(2)).lease
            await agents.report(second, result={"count": 1})
            assert (await acme.finished(execution))["tries"] == 2


async def test_heard_of_it_loses_nothing(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start(limits=SOON) as running, a_node() as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node)
        async with agents.alive():
            execution = await acme.ask("inventory.count")
            lease = (await node.run()).lease
            await asyncio.sleep(8)
            await agents.report(lease, result={})
            assert (await acme.finished(execution))["tries"] == 1


async def test_while_it_is_away_what_waits_for_it_waits(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start(limits=SOON) as running, a_node(says({})) as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node)
        await eventually(lambda: _is_away(running, acme))
        late = await acme.ask("inventory.count", seconds=4)
        execution = await acme.ask("inventory.count")
        told = await acme.finished(late)
        assert (told["outcome"], told["failureCode"], told["tries"]) == ("failed", "engine_unreachable", 0)
        assert told["failureDetail"].startswith("The agent inventory has not been heard of since ")
        assert node.calls == []
        assert (await acme.job(execution))["tries"] == 0
        await agents.register(node, instance="two")
        assert (await acme.finished(execution))["tries"] == 1


async def test_an_agent_that_nobody_answers_for_fails_after_its_last_try(
    start: Start, workspace_of: Any, agents_of: Any
) -> None:
    """It speaks, but cannot be reached where it says."""
    async with start() as running, a_node() as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node, base_url="http://127.0.0.1:1")
        async with agents.alive():
            told = await acme.finished(await acme.ask("inventory.count"))
    assert (told["outcome"], told["failureCode"], told["tries"]) == ("failed", "engine_unreachable", 3)
    assert "The agent inventory cannot be reached: no connection" in told["failureDetail"]


async def test_one_that_cannot_be_reached_gets_nothing_until_it_speaks(
    start: Start, workspace_of: Any, agents_of: Any
) -> None:
    async with start() as running, a_node(says({})) as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node, base_url="http://127.0.0.1:1")
        execution = await acme.ask("inventory.count")
        await acme.until(execution, "waiting", tries=1)
        await eventually(lambda: _is_away(running, acme))
        await asyncio.sleep(2)
        assert (await acme.job(execution))["tries"] == 1
        assert "could not be reached" in running.nodes.presence.hindrance(acme.id, "inventory")
        await agents.register(node)
        assert (await acme.finished(execution))["tries"] == 2


async def test_what_was_not_begun_is_no_try(start: Start, workspace_of: Any, agents_of: Any, admin: Any) -> None:
    """Many are taken at once, before it is known that the agent is away."""
    async with start() as running, a_node(says({})) as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node)
        await eventually(lambda: _is_there(running, acme))
        await admin.execute("UPDATE nodes SET is_unreachable = true")
        executions = [await acme.ask("inventory.count") for _ in range(8)]
        await eventually(lambda: _is_away(running, acme))
        await asyncio.sleep(2)
        assert [(await acme.job(each))["tries"] for each in executions] == [0] * 8
        await agents.heartbeat()
        assert [(await acme.finished(each))["tries"] for each in executions] == [1] * 8


async def test_one_that_leaves_may_end_what_it_runs(
    start: Start, workspace_of: Any, agents_of: Any, admin: Any
) -> None:
    async with start() as running, a_node() as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node)
        execution = await acme.ask("inventory.count")
        lease = (await node.run()).lease
        await agents.shut_down(60)
        await eventually(lambda: _is_away(running, acme))
        # A last heartbeat on the way does not bring it back.
        await agents.heartbeat()
        waiting = await acme.ask("inventory.count")
        await asyncio.sleep(1.5)
        assert ((await acme.job(execution))["state"], (await acme.job(waiting))["tries"]) == ("running", 0)
        await agents.report(lease, result={})
        assert (await acme.finished(execution))["outcome"] == "succeeded"
        # One that is still there long after has not left: it is to register again.
        await admin.execute("UPDATE nodes SET leaves_at = now() - interval '1 minute'")
        async with refused(404):
            await agents.heartbeat()
        await agents.register(node)
        await node.run(2)


async def test_one_that_has_left_has_lost_what_it_ran(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start() as running, a_node() as node:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(node)
        execution = await acme.ask("inventory.count")
        await node.run()
        await agents.shut_down(0.5)
        assert (await acme.until(execution, "waiting", tries=1))["reason"].startswith("The agent inventory has left")
        await agents.phase("ready")
        await node.run(2)
        await agents.phase("offline")
        assert (await acme.until(execution, "waiting", tries=2))["reason"].startswith("The agent inventory has left")


async def test_the_later_of_two_processes_is_the_agent(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start(limits=SOON) as running, a_node(says({})) as first, a_node(says({})) as second:
        acme = workspace_of(running)
        agents = agents_of(acme, running)
        await agents.register(first)
        await agents.register(second, instance="two")
        async with agents.alive(instance="two"):
            # The other one's heartbeats are taken, so that the two do not register in turns.
            await agents.heartbeat(instance="one")
            await acme.finished(await acme.ask("inventory.count"))
            assert (len(first.runs), len(second.runs)) == (0, 1)
        await eventually(lambda: _is_away(running, acme))
        # With that gone it is to come back.
        async with refused(404):
            await agents.heartbeat(instance="one")
        async with refused(404):
            await agents.heartbeat("nobody")


async def test_a_run_goes_on_when_the_runtime_is_gone(
    start: Start, workspace_of: Any, agents_of: Any, admin: Any
) -> None:
    async with a_node() as node:
        async with start() as running:
            acme = workspace_of(running)
            agents = agents_of(acme, running)
            await agents.register(node)
            execution = await acme.ask("inventory.count")
            lease = (await node.run()).lease
            await eventually(lambda: admin.fetchval("SELECT acknowledged_at IS NOT NULL FROM remote_runs"))
        assert (await acme.job(execution))["state"] == "running"
        await admin.execute("UPDATE jobs SET lease_until = now() - interval '1 second'")
        async with start() as running:
            # It is watched over from here: for longer than a lease lasts it is not lost.
            await eventually(lambda: _runs(running, lease))
            await asyncio.sleep(3)
            assert str((await acme.job(execution))["lease"]) == lease
            await agents_of(acme, running, agents.key).report(lease, result={"count": 4})
            told = await acme.finished(execution)
            await eventually(lambda: _is_idle(running))
    assert (told["output"], told["tries"], len(node.runs)) == ({"count": 4}, 1, 1)
    assert node.cancelled == []


async def test_a_report_counts_while_no_runtime_watches(
    start: Start, workspace_of: Any, agents_of: Any, admin: Any
) -> None:
    async with a_node() as node:
        async with start() as running:
            acme = workspace_of(running)
            agents = agents_of(acme, running)
            await agents.register(node)
            execution = await acme.ask("inventory.count")
            lease = (await node.run()).lease
        await agents.report(lease, result={"count": 4})
        told = await acme.finished(execution)
        async with start():
            await asyncio.sleep(1)
        assert len(await acme.all_finished(execution)) == 1
    assert (told["output"], told["tries"]) == ({"count": 4}, 1)


async def test_a_run_whose_agent_is_gone_too_is_tried_again(
    start: Start, workspace_of: Any, agents_of: Any, admin: Any
) -> None:
    async with a_node() as node:
        async with start() as running:
            acme = workspace_of(running)
            agents = agents_of(acme, running)
            await agents.register(node)
            execution = await acme.ask("inventory.count")
            await node.run()
            await eventually(lambda: admin.fetchval("SELECT acknowledged_at IS NOT NULL FROM remote_runs"))
        await admin.execute("UPDATE jobs SET lease_until = now() - interval '1 second'")
        await admin.execute("UPDATE nodes SET last_heard_at = now() - interval '1 hour'")
        async with start(limits=SOON) as running:
            await acme.until(execution, "waiting", tries=1)
            agents = agents_of(acme, running, agents.key)
            node.answer = says({})
            await agents.register(node, instance="two")
            assert (await acme.finished(execution))["tries"] == 2


async def test_a_runtime_that_was_away_itself_does_not_take_silence_ill(
    start: Start, workspace_of: Any, agents_of: Any, admin: Any
) -> None:
    """Who was to hear the agent?"""
    async with a_node() as node:
        async with start() as running:
            acme = workspace_of(running)
            agents = agents_of(acme, running)
            await agents.register(node)
            execution = await acme.ask("inventory.count")
            lease = (await node.run()).lease
            await eventually(lambda: admin.fetchval("SELECT acknowledged_at IS NOT NULL FROM remote_runs"))
        await admin.execute("UPDATE jobs SET lease_until = now() - interval '1 hour'")
        await admin.execute("UPDATE nodes SET last_heard_at = now() - interval '1 hour'")
        async with start() as running:
            agents = agents_of(acme, running, agents.key)
            await eventually(lambda: _runs(running, lease))
            # As the SDK does it when it finds somebody again.
            await agents.register(node)
            await agents.report(lease, result={"count": 4})
            assert (await acme.finished(execution))["tries"] == 1
    assert len(node.runs) == 1


async def test_of_two_runtimes_either_is_told(start: Start, workspace_of: Any, agents_of: Any) -> None:
    async with start() as first, start() as second, a_node() as node:
        acme = workspace_of(first)
        speaking = agents_of(acme, second)
        await speaking.register(node)
        executions = [await acme.ask("inventory.count") for _ in range(4)]
        for number in range(4):
            await speaking.report((await node.run(number + 1)).lease, result={"count": number})
        assert [(await acme.finished(each))["tries"] for each in executions] == [1] * 4
        await eventually(lambda: _is_idle(first))
        await eventually(lambda: _is_idle(second))
    assert node.cancelled == []


async def test_a_call_is_made_once_though_its_answer_takes_long(
    start: Start, workspace_of: Any, agents_of: Any
) -> None:
    """A skill answers when it is done: for longer than a lease lasts."""
    async with start(lease_seconds=1) as running, a_node() as node:

        async def slowly() -> Any:
            await asyncio.sleep(2.5)
            return says({"double": 2})

        node.answer = slowly
        acme = workspace_of(running)
        await agents_of(acme, running).register(node)
        told = await acme.finished(await acme.ask("inventory.double"))
    assert (told["output"], told["tries"], len(node.runs)) == ({"double": 2}, 1, 1)


async def test_without_an_acknowledgement_a_run_is_not_taken_up(
    start: Start, workspace_of: Any, agents_of: Any, admin: Any
) -> None:
    """Whether the call arrived is not known."""
    async with a_node() as node:
        never = asyncio.Event()

        async def nothing() -> Any:
            await never.wait()

        node.answer = [nothing, says({})]
        async with start() as running:
            acme = workspace_of(running)
            await agents_of(acme, running).register(node)
            execution = await acme.ask("inventory.count")
            await node.run()
        await admin.execute("UPDATE jobs SET lease_until = now() - interval '1 second'")
        async with start():
            told = await acme.finished(execution)
        never.set()
    assert (told["outcome"], told["tries"], len(node.runs)) == ("succeeded", 2, 2)


async def _is_away(running: Any, workspace: Any) -> bool:
    return running.nodes.presence.hindrance(workspace.id, "inventory") is not None


async def _is_there(running: Any, workspace: Any) -> bool:
    return not await _is_away(running, workspace)


async def _runs(running: Any, lease: str) -> bool:
    return any(job.lease == lease for job in running.runtime.runs.jobs)


async def _is_idle(running: Any) -> bool:
    return not running.runtime.runs.jobs
