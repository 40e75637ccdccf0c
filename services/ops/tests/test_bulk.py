"""Many resources in one call, as imports create them."""

from dataclasses import replace
from typing import Any

import asyncpg
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from kit.identity import Principal
from opsfield.ops.v1.alerts_pb2 import Alert
from opsfield.ops.v1.bulk_pb2 import CreateResourcesRequest
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.contacts_pb2 import Contact
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.ops.tests.client import Ops
from services.ops.tests.policies import policy
from tests.callers import refused

NO_ONE = "01890000-0000-7000-8000-000000000000"


def as_service(ops: Ops) -> Ops:
    principal = Principal("service:gateway", workspace_id=ops.principal.workspace_id, service="gateway")
    return replace(ops, principal=principal, notes={})


async def create(ops: Ops, kind: str, *resources: Message, **call: Any) -> list[Any]:
    request = CreateResourcesRequest(kind=kind)
    for each in resources:
        packed = AnyMessage()
        packed.Pack(each)
        request.resources.append(packed)
    return list((await as_service(ops).call("CreateResources", request, **call)).results)


async def test_each_is_created_by_the_rules_or_told_why_not(
    ops: Ops, admin: "asyncpg.Connection[asyncpg.Record]", workspace: str
) -> None:
    acme = await ops.create_client("Acme")
    results = await create(
        ops,
        "tickets",
        Ticket(subject="First", client_id=acme.id, tags=["a", "b"]),
        Ticket(subject="", client_id=acme.id),
        Ticket(subject="Nobody's", client_id=NO_ONE),
        Ticket(subject="Closed at once", client_id=acme.id, status="CLOSED"),
        Ticket(subject="Last", client_id=acme.id, priority="HIGH"),
        Client(name="No ticket"),
    )
    codes = [each.problem.code for each in results]
    assert codes == ["", "validation-failed", "validation-failed", "illegal-transition", "", "malformed-request"]
    assert [error.path for error in results[1].problem.errors] == ["subject"]
    assert [error.path for error in results[2].problem.errors] == ["clientId"]
    listed = (await ops.list_tickets(sort_by="number", sort_order="ASC")).data
    assert [(ticket.number, ticket.subject) for ticket in listed] == [("T-1001", "First"), ("T-1002", "Last")]
    assert [ticket.id for ticket in listed] == [results[0].id, results[4].id]
    assert list(listed[0].tags) == ["a", "b"]
    assert (listed[0].status, listed[0].priority, listed[0].version) == (Ticket.NEW, Ticket.MEDIUM, 1)
    assert listed[0] == await ops.get(listed[0])
    assert [ticket.subject for ticket in (await ops.list_tickets(q="LAST")).data] == ["Last"]
    events = await admin.fetch("SELECT key FROM outbox WHERE workspace_id = $1 AND topic = 'ticket.created'", workspace)
    assert {str(row["key"]) for row in events} == {ticket.id for ticket in listed}
    audited = await admin.fetch(
        "SELECT resource_id FROM audit_entries WHERE workspace_id = $1 AND operation LIKE '%CreateResources'", workspace
    )
    assert {row["resource_id"] for row in audited} == {ticket.id for ticket in listed}


async def test_one_that_is_taken_is_left_out(ops: Ops) -> None:
    await ops.create_client("Acme")
    results = await create(ops, "clients", Client(name="acme"), Client(name="Bravo"), Client(name="BRAVO"))
    assert [each.problem.code for each in results] == ["already-exists", "", "already-exists"]
    assert {client.name for client in (await ops.list_clients()).data} == {"Acme", "Bravo"}


async def test_kinds_with_a_way_of_their_own_are_created_one_by_one(ops: Ops) -> None:
    acme = await ops.create_client("Acme")
    contacts = await create(
        ops,
        "contacts",
        Contact(client_id=acme.id, name="Ann", is_primary=True, email="ann@acme.example"),
        Contact(client_id=acme.id, name="Ann again", email="ANN@acme.example"),
        Contact(client_id=acme.id, name="Bob", is_primary=True),
    )
    assert [each.problem.code for each in contacts] == ["", "already-exists", ""]
    page = await ops.page("Contacts")
    assert {contact.name: contact.is_primary for contact in page.data} == {"Ann": False, "Bob": True}
    alert = Alert(source="import", rule="disk", title="Disk full", client_id=acme.id)
    first, again = await create(ops, "alerts", alert, alert)
    assert first.id == again.id


async def test_a_policy_that_is_refused_leaves_the_default_alone(ops: Ops) -> None:
    standard = await ops.create(policy("Standard", is_default=True))
    refused_one, other = await create(
        ops, "sla-policies", policy("STANDARD", is_default=True), policy("Other", client_id=NO_ONE, is_default=False)
    )
    assert (refused_one.problem.code, other.problem.code) == ("already-exists", "validation-failed")
    assert await ops.get(standard) == standard
    assert (await ops.create_ticket(await ops.create_client())).sla_policy_id == standard.id


async def test_a_policy_among_many_becomes_the_default(ops: Ops) -> None:
    standard = await ops.create(policy("Standard", is_default=True))
    newer, refused_one, plain = await create(
        ops,
        "sla-policies",
        policy("Newer", is_default=True),
        policy("newer", is_default=True),
        policy("Plain"),
    )
    assert [each.problem.code for each in (newer, refused_one, plain)] == ["", "already-exists", ""]
    page = await ops.page("SlaPolicies", is_default=True)
    assert [each.id for each in page.data] == [newer.id]
    assert (await ops.get(standard)).version == 2


async def test_a_repeated_call_gets_the_first_answer(ops: Ops) -> None:
    first = await create(ops, "clients", Client(name="Acme"), key="chunk-1")
    assert await create(ops, "clients", Client(name="Acme"), key="chunk-1") == first
    assert (await ops.list_clients()).page.total == 1


async def test_only_services_may_and_only_known_kinds(ops: Ops) -> None:
    async with refused(403):
        await ops.call("CreateResources", CreateResourcesRequest(kind="clients"))
    async with refused(422, path="kind"):
        await create(ops, "invoice")
