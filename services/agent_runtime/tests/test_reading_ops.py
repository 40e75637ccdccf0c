"""What reasoners read of ops, over gRPC."""

import uuid
from typing import Any

from devstack.stack import Stack
from kit.errors import NotFound
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.tickets_pb2 import ListTicketsResponse, Ticket
from services.agent_runtime.tests.services import Asked, played
from services.agent_runtime.tests.workspace import Workspace

ID = str(uuid.uuid4())


async def test_it_reads_in_its_workspace_as_the_execution_it_is(stack: Stack, acme: Workspace) -> None:
    asked: list[Asked] = []

    async def client(ask: Asked) -> Client:
        asked.append(ask)
        return Client(id=ask.request.id, name="Acme")

    async def tickets(ask: Asked) -> ListTicketsResponse:
        asked.append(ask)
        return ListTicketsResponse(data=[Ticket(subject="Printer", status=Ticket.OPEN)])

    async with played(stack, "ops", {"GetClient": client, "ListTickets": tickets}):
        execution = await acme.ask("trial.read_client", {"clientId": ID, "limit": 50})
        told = await acme.finished(execution)
    assert told["output"] == {"client": "Acme", "tickets": ["Printer"]}
    assert told["evidence"] == {"rows": told["output"]}
    assert [each.principal.workspace_id for each in asked] == [acme.id] * 2
    assert {(each.principal.subject, each.principal.service) for each in asked} == {
        (f"execution:{execution}", "agent-runtime")
    }
    request = asked[1].request
    assert (request.limit, request.client_id, request.status) == (50, ID, Ticket.OPEN)


async def test_what_is_not_there_is_no_data(stack: Stack, acme: Workspace) -> None:
    async def client(ask: Asked) -> Client:
        raise NotFound("There is no such client.")

    async with played(stack, "ops", {"GetClient": client}):
        told = await acme.finished(await acme.ask("trial.read_client", {"clientId": ID}))
    assert (told["failureCode"], told["tries"]) == ("data_unavailable", 1)


async def test_ops_is_waited_for(stack: Stack, acme: Workspace) -> None:
    execution = await acme.ask("trial.read_client", {"clientId": ID})
    job = await acme.until(execution, "waiting", tries=1)
    assert "cannot be reached" in job["reason"]

    async def client(ask: Asked) -> Client:
        return Client(id=ask.request.id, name="Acme")

    async def tickets(ask: Asked) -> ListTicketsResponse:
        return ListTicketsResponse()

    async with played(stack, "ops", {"GetClient": client, "ListTickets": tickets}):
        told = await acme.finished(execution)
    assert (told["outcome"], told["tries"] > 1) == ("succeeded", True)


async def test_no_execution_reads_without_bound(stack: Stack, acme: Workspace) -> None:
    calls = 0

    async def tickets(ask: Asked) -> Any:
        nonlocal calls
        calls += 1
        return ListTicketsResponse(data=[Ticket(subject="x")] * size)

    async with played(stack, "ops", {"ListTickets": tickets}):
        size = 1
        most = await acme.finished(await acme.ask("trial.read_too_much", {"calls": 20}))
        too_often = await acme.finished(await acme.ask("trial.read_too_much", {"calls": 21}))
        assert calls == 40
        size = 200
        too_many = await acme.finished(await acme.ask("trial.read_too_much", {"calls": 12}))
        assert calls == 51
    assert most["outcome"] == "succeeded"
    assert (too_often["failureCode"], too_many["failureCode"]) == ("reasoner_error", "reasoner_error")
    assert "20 times" in too_often["failureDetail"]
    assert "2000 rows" in too_many["failureDetail"]
