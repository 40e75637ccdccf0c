"""Breaches of SLAs: each is found, recorded and told of once, whatever happens meanwhile."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from devstack.stack import Stack
from kit import clock
from kit.database import Database
from kit.errors import Problem
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.sla_policies_pb2 import SlaPolicy
from opsfield.ops.v1.ticket_comments_pb2 import TicketComment
from opsfield.ops.v1.tickets_pb2 import SlaTarget, Ticket
from services.ops.service_desk.sla.breaches import _DUE_WORKSPACES, _NEXT_DUE, BreachSweep, find_and_mark
from services.ops.tests.client import Ops
from services.ops.tests.policies import policy


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client()


@pytest.fixture
async def standard(ops: Ops) -> SlaPolicy:
    created: SlaPolicy = await ops.create(policy(is_default=True))
    return created


@contextlib.asynccontextmanager
async def sweeps(*sweeps: BreachSweep) -> AsyncIterator[None]:
    """Run them, as replicas do, while the block lasts."""
    tasks = [asyncio.create_task(each.run()) for each in sweeps]
    try:
        yield
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def breaches(admin: Any, workspace: str) -> list[tuple[str, str]]:
    """What was told about breaches: the ticket's id and the target."""
    rows = await admin.fetch(
        "SELECT key, payload FROM outbox WHERE workspace_id = $1 AND topic = 'ticket.sla_breached' ORDER BY sequence",
        workspace,
    )
    return [(row["key"], json.loads(row["payload"])["data"]["target"]) for row in rows]


async def eventually(found: Any, expected: int) -> None:
    async with asyncio.timeout(20):
        while len(await found()) < expected:
            await asyncio.sleep(0.05)


def in_hours(hours: float) -> Any:
    return clock.at(datetime.now(UTC) + timedelta(hours=hours))


@pytest.fixture
async def wide(stack: Stack) -> AsyncIterator[Database]:
    """The service's database over more connections."""
    database = await Database.connect(stack.database_url("ops"), size=6)
    yield database
    await database.close()


async def test_a_breach_is_recorded_at_its_due_time_and_told(
    ops: Ops, client: Client, standard: SlaPolicy, admin: Any, workspace: str, wide: Database
) -> None:
    ticket = await ops.create_ticket(client)
    with in_hours(0.5):
        assert await find_and_mark(wide, workspace) == 0
    with in_hours(2):
        assert await find_and_mark(wide, workspace) == 1
        assert await find_and_mark(wide, workspace) == 0
    breached = await ops.get(ticket)
    assert breached.first_response_breached_at == ticket.first_response_due_at
    assert (breached.sla.first_response.state, breached.sla.resolution.state) == (SlaTarget.BREACHED, SlaTarget.RUNNING)
    assert breached.version == ticket.version + 1
    with in_hours(5):
        assert await find_and_mark(wide, workspace) == 1
    assert await breaches(admin, workspace) == [(ticket.id, "first_response"), (ticket.id, "resolution")]
    payload = await admin.fetchval(
        "SELECT payload FROM outbox WHERE topic = 'ticket.sla_breached' AND key = $1 ORDER BY sequence LIMIT 1",
        ticket.id,
    )
    told = json.loads(payload)["data"]
    assert told["policyId"] == standard.id
    assert told["dueAt"] == told["ticket"]["firstResponseBreachedAt"]
    audited = "SELECT array_agg(subject) FROM audit_entries WHERE resource_id = $1 AND subject LIKE 'system:%'"
    assert await admin.fetchval(audited, ticket.id) == ["system:sla", "system:sla"]


async def test_what_is_met_paused_or_deleted_is_not_breached(
    ops: Ops, client: Client, standard: SlaPolicy, workspace: str, wide: Database
) -> None:
    del standard
    resolved, waiting, deleted = [await ops.create_ticket(client, str(each)) for each in range(3)]
    await ops.resolve(resolved)
    await ops.patch(waiting, status=Ticket.OPEN)
    await ops.patch(waiting, status=Ticket.WAITING_ON_VENDOR)
    await ops.delete(deleted)
    with in_hours(100):
        assert await find_and_mark(wide, workspace) == 0


async def test_two_sweeps_at_once_tell_each_breach_once(
    ops: Ops, client: Client, standard: SlaPolicy, admin: Any, workspace: str, wide: Database, stack: Stack
) -> None:
    del standard
    tickets = [await ops.create_ticket(client, f"Ticket {each}") for each in range(30)]
    relay_url = stack.database_url("ops", "relay")
    with in_hours(48):
        async with sweeps(*(BreachSweep(wide, relay_url) for _ in range(3))):
            await eventually(lambda: breaches(admin, workspace), 60)
            await asyncio.sleep(0.3)
    expected = sorted((each.id, target) for each in tickets for target in ("first_response", "resolution"))
    assert sorted(await breaches(admin, workspace)) == expected


async def test_one_that_is_being_changed_is_passed_over_and_found_later(
    ops: Ops, client: Client, standard: SlaPolicy, admin: Any, workspace: str, wide: Database
) -> None:
    del standard
    held, free = [await ops.create_ticket(client, str(each)) for each in range(2)]
    with in_hours(48):
        async with admin.transaction():
            await admin.execute("SELECT 1 FROM tickets WHERE id = $1 FOR UPDATE", held.id)
            assert await find_and_mark(wide, workspace) == 1
        assert await find_and_mark(wide, workspace) == 1
    told = {key for key, _ in await breaches(admin, workspace)}
    assert told == {held.id, free.id}


async def test_an_outage_is_waited_out(
    ops: Ops, client: Client, standard: SlaPolicy, admin: Any, workspace: str, wide: Database, stack: Stack
) -> None:
    del standard
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename IN ('ops_relay', 'ops_app')"
    first = await ops.create_ticket(client)
    with in_hours(48):
        async with sweeps(BreachSweep(wide, stack.database_url("ops", "relay"))):
            await eventually(lambda: breaches(admin, workspace), 2)
            await admin.execute("ALTER ROLE ops_relay NOLOGIN")
            try:
                await admin.fetchval(cut)
                second = await _created(ops, client)
                await asyncio.sleep(1.2)
                assert len(await breaches(admin, workspace)) == 2
            finally:
                await admin.execute("ALTER ROLE ops_relay LOGIN")
            await eventually(lambda: breaches(admin, workspace), 4)
    assert {key for key, _ in await breaches(admin, workspace)} == {first.id, second.id}


async def _created(ops: Ops, client: Client) -> Ticket:
    for _ in range(50):
        with contextlib.suppress(Problem):
            return await ops.create_ticket(client, "After the cut")
        await asyncio.sleep(0.1)
    raise AssertionError("the service did not come back")


async def test_a_late_answer_is_a_breach_that_the_answer_tells_itself(
    ops: Ops, client: Client, admin: Any, workspace: str
) -> None:
    """Nobody swept; the change finds that the time was over."""
    await ops.create(policy(is_default=True, first=2, last=600))
    ticket = await ops.create_ticket(client)
    await admin.execute(
        "UPDATE tickets SET first_response_due_at = now() - interval '1 second' WHERE id = $1", ticket.id
    )
    await ops.comment(ticket, "Sorry.", visibility=TicketComment.PUBLIC)
    answered = await ops.get(ticket)
    assert answered.sla.first_response.state == SlaTarget.BREACHED
    assert answered.sla.first_response.HasField("met_at")
    assert await breaches(admin, workspace) == [(ticket.id, "first_response")]


FILL = """
INSERT INTO tickets (workspace_id, id, number, subject, client_id, status, priority, source, tier, tags, reopen_count,
    escalations, created_at, updated_at, created_by, version, search, first_response_due_at, resolution_due_at)
SELECT $1, gen_random_uuid(), n, 's', $2, 'new', 'low', 'api', 1, '{}', 0, '[]', now(), now(), 'a', 1, '',
    now() + make_interval(mins => n), now() + make_interval(mins => n)
FROM generate_series(10000, 30000) n
"""


async def test_the_search_for_what_is_due_reads_an_index(
    client: Client, admin: Any, workspace: str, stack: Stack
) -> None:
    await admin.execute(FILL, workspace, client.id)
    await admin.execute("ANALYZE tickets")
    relay = await asyncpg.connect(stack.database_url("ops", "relay"))
    try:
        for query in (_DUE_WORKSPACES, _NEXT_DUE):
            plan = "\n".join(row[0] for row in await relay.fetch(f"EXPLAIN {query}", datetime.now(UTC)))
            assert "tickets_first_response_unbreached" in plan
            assert "tickets_resolution_unbreached" in plan
            assert "Seq Scan" not in plan
    finally:
        await relay.close()
        async with admin.transaction():
            # Nothing refers to them: to look for that, ticket by ticket, takes minutes.
            await admin.execute("SET LOCAL session_replication_role = replica")
            await admin.execute("DELETE FROM tickets WHERE workspace_id = $1", workspace)
        await admin.execute("ANALYZE tickets")
