"""Tickets: numbers, events, escalation, resolution."""

import asyncio
import json

import asyncpg
import pytest

from kit.errors import Problem
from opsfield.ops.v1.tickets_pb2 import CreateTicketRequest, GetTicketRequest, Ticket
from services.ops.tests.client import Ops
from tests.callers import refused

NOBODY = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"


@pytest.fixture
async def ticket(ops: Ops) -> Ticket:
    return await ops.create_ticket(await ops.create_client())


async def test_a_new_ticket_has_its_defaults_and_a_number(ops: Ops) -> None:
    ticket = await ops.create_ticket(await ops.create_client(), "Printer on fire", tags=["fire"])
    assert (ticket.number, ticket.subject, list(ticket.tags)) == ("T-1001", "Printer on fire", ["fire"])
    assert (ticket.status, ticket.priority, ticket.source) == (Ticket.NEW, Ticket.MEDIUM, Ticket.API)
    assert (ticket.tier, ticket.reopen_count, list(ticket.escalations)) == (1, 0, [])
    assert not ticket.HasField("resolved_at")
    assert await ops.get(ticket) == ticket


async def test_numbers_grow_in_each_workspace_by_itself(ops: Ops, workspace: str) -> None:
    client = await ops.create_client()
    assert [(await ops.create_ticket(client)).number for _ in range(3)] == ["T-1001", "T-1002", "T-1003"]
    other = ops.of(f"{workspace}-2")
    assert (await other.create_ticket(await other.create_client())).number == "T-1001"


async def test_numbers_of_tickets_created_at_once_differ(ops: Ops) -> None:
    client = await ops.create_client()
    tickets = await asyncio.gather(*(ops.create_ticket(client, f"Ticket {each}") for each in range(20)))
    assert len({ticket.number for ticket in tickets}) == 20


async def test_a_ticket_starts_as_new(ops: Ops) -> None:
    client = await ops.create_client()
    async with refused(409, "illegal-transition"):
        await ops.create_ticket(client, status=Ticket.OPEN)


async def test_a_ticket_is_for_a_client_that_exists(ops: Ops, ticket: Ticket) -> None:
    deleted = await ops.create_client("Gone")
    await ops.delete(deleted)
    for missing in (NOBODY, deleted.id):
        async with refused(422, "validation-failed", path="clientId"):
            await ops.patch(ticket, client_id=missing)


async def test_ticket_created_goes_out_once_and_a_change_says_nothing(
    ops: Ops, ticket: Ticket, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await ops.patch(ticket, priority=Ticket.HIGH)
    rows = await admin.fetch("SELECT topic, key, payload FROM outbox WHERE key = $1", ticket.id)
    assert [(row["topic"], row["key"]) for row in rows] == [("ticket.created", ticket.id)]
    told = json.loads(rows[0]["payload"])["data"]["ticket"]
    assert (told["number"], told["status"], told["clientId"]) == (ticket.number, "new", ticket.client_id)


async def test_each_change_leaves_an_audit_record(
    ops: Ops, ticket: Ticket, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await ops.of(ops.principal.workspace_id, subject="bob").resolve(ticket)
    await ops.delete(ticket)
    rows = await admin.fetch(
        "SELECT subject, operation, version FROM audit_entries WHERE resource_id = $1 ORDER BY id", ticket.id
    )
    assert [(row["subject"], row["operation"].split("/")[-1], row["version"]) for row in rows] == [
        ("ada", "CreateTicket", 1),
        ("bob", "ResolveTicket", 2),
        ("ada", "DeleteTicket", 3),
    ]


async def test_a_call_without_a_correlation_id_gets_one(
    ops: Ops, workspace: str, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """A consumer takes an event without one for none of ours."""
    client = await ops.create_client()
    ticket = Ticket(subject="Printer", client_id=client.id)
    await ops.call("CreateTicket", CreateTicketRequest(ticket=ticket), x_correlation_id="")
    payload = await admin.fetchval("SELECT payload FROM outbox WHERE workspace_id = $1", workspace)
    assert json.loads(payload)["correlationid"]


async def test_a_ticket_goes_through_its_life(ops: Ops, ticket: Ticket) -> None:
    for status in (Ticket.OPEN, Ticket.IN_PROGRESS, Ticket.WAITING_ON_CLIENT, Ticket.OPEN):
        assert (await ops.patch(ticket, status=status)).status == status
    resolved = await ops.resolve(ticket, "New toner.")
    assert (resolved.status, resolved.resolution) == (Ticket.RESOLVED, "New toner.")
    assert resolved.resolved_at == resolved.updated_at
    reopened = await ops.patch(ticket, status=Ticket.OPEN)
    assert (reopened.reopen_count, reopened.HasField("resolved_at")) == (1, False)
    await ops.resolve(ticket, "Newer toner.")
    closed = await ops.patch(ticket, status=Ticket.CLOSED)
    assert closed.closed_at == closed.updated_at
    assert closed.version == 9
    with pytest.raises(Problem) as problem:
        await ops.patch(ticket, status=Ticket.OPEN)
    assert problem.value.detail == "A ticket cannot go from closed to open; legal: nothing, it is final."


async def test_to_resolve_one_must_say_how(ops: Ops, ticket: Ticket) -> None:
    async with refused(422, path="resolution"):
        await ops.patch(ticket, status=Ticket.RESOLVED)
    async with refused(422, path="resolution"):
        await ops.resolve(ticket, "")
    assert await ops.get(ticket) == ticket
    await ops.patch(ticket, status=Ticket.RESOLVED, resolution="Found the plug.")
    async with refused(409, "ticket-done"):
        await ops.resolve(ticket)


async def test_escalation_is_recorded_until_it_can_go_no_further(ops: Ops, ticket: Ticket) -> None:
    first = await ops.escalate(ticket, "The boss called.")
    assert (first.tier, first.priority) == (2, Ticket.HIGH)
    second = await ops.escalate(ticket)
    assert (second.tier, second.priority) == (3, Ticket.CRITICAL)
    assert [(each.reason, each.tier, each.priority, each.escalated_by) for each in second.escalations] == [
        ("The boss called.", 2, Ticket.HIGH, "ada"),
        ("It burns.", 3, Ticket.CRITICAL, "ada"),
    ]
    assert second.escalations[1].escalated_at == second.updated_at
    async with refused(409, "escalation-exhausted"):
        await ops.escalate(ticket)
    assert await ops.get(ticket) == second


async def test_a_replacement_keeps_what_only_the_platform_sets(ops: Ops, ticket: Ticket) -> None:
    escalated = await ops.escalate(ticket)
    replaced = await ops.replace(Ticket(id=ticket.id, subject="New", client_id=ticket.client_id))
    assert (replaced.subject, replaced.number, replaced.status) == ("New", ticket.number, Ticket.NEW)
    assert (replaced.priority, replaced.tier) == (Ticket.MEDIUM, 1)
    assert replaced.escalations == escalated.escalations


@pytest.mark.parametrize("unknown", ["", "x", "'; DROP TABLE tickets; --", NOBODY.upper(), NOBODY + "0"])
async def test_an_id_that_is_none_is_refused(ops: Ops, unknown: str) -> None:
    async with refused(422, path="id"):
        await ops.call("GetTicket", GetTicketRequest(id=unknown))


async def test_an_id_of_nothing_is_not_found(ops: Ops) -> None:
    async with refused(404, "not-found"):
        await ops.call("GetTicket", GetTicketRequest(id=NOBODY))
