"""Who may call, under which conditions, and what a repeated call answers."""

import asyncio
import uuid
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import asyncpg
import grpc
import pytest

from devstack.stack import Stack
from kit.errors import Problem, from_rpc_error
from kit.identity import Principal, TokenSigner
from opsfield.common.v1 import outbox_pb2
from opsfield.ops.v1.clients_pb2 import Client, CreateClientRequest
from opsfield.ops.v1.tickets_pb2 import ListTicketsRequest
from services.ops.tests.client import RPCS, Ops
from tests.callers import refused

LIST = ListTicketsRequest()
CREATE = CreateClientRequest(client=Client(name="Acme"))


async def status_of(calling: Awaitable[Any]) -> int:
    """The HTTP status that a call would end with."""
    try:
        await calling
    except Problem as problem:
        return problem.status
    return 200


async def test_a_call_without_an_internal_token_is_refused(ops: Ops) -> None:
    for header in ("", "Bearer", "Bearer x.y.z", "Basic YWRhOmFkYQ==", ops.signer.sign(ops.principal, "ops")):
        async with refused(401, "unauthenticated"):
            await ops.call("ListTickets", LIST, authorization=header)


async def test_a_token_for_another_service_is_refused(ops: Ops) -> None:
    async with refused(401, "unauthenticated"):
        await replace(ops, audience="portal").call("ListTickets", LIST)


async def test_a_token_that_another_service_signed_is_taken_for_what_it_says(ops: Ops, stack: Stack) -> None:
    portal = replace(ops, signer=TokenSigner.from_file("portal", stack.layout.key("portal")))
    await portal.call("ListTickets", LIST)
    # It has the key of the portal, so it cannot speak for the gateway.
    forger = replace(ops, signer=TokenSigner.from_file("gateway", stack.layout.key("portal")))
    async with refused(401, "unauthenticated"):
        await forger.call("ListTickets", LIST)


@pytest.mark.parametrize("name", sorted(name for name, rpc in RPCS.items() if rpc.access == "roles"))
async def test_an_rpc_is_for_its_roles_alone(ops: Ops, workspace: str, name: str) -> None:
    rpc = RPCS[name]
    every_role = {"msp_admin", "ops_engineer", "automation_operator", "integration_admin", "billing", "data_admin",
                  "viewer", "platform_admin", "endpoint_agent", "client_portal"}  # fmt: skip
    assert rpc.roles < every_role
    for roles in (frozenset[str](), frozenset(every_role - rpc.roles), frozenset({"MSP_ADMIN"})):
        async with refused(403, "role-missing"):
            await ops.of(workspace, roles=roles).call(name, rpc.request_class())
    for role in rpc.roles:
        # It gets past the door: at most, an empty request is refused for what it lacks.
        assert await status_of(ops.of(workspace, roles=frozenset({role})).call(name, rpc.request_class())) in (200, 422)


async def test_a_call_without_a_workspace_is_refused(ops: Ops) -> None:
    async with refused(403, "workspace-missing"):
        await ops.of(None).call("ListTickets", LIST)
    async with refused(403, "workspace-missing"):
        await ops.of(None, roles=frozenset({"msp_admin"})).call("CreateClient", CREATE)


async def test_what_is_for_services_is_refused_to_people(ops: Ops, workspace: str) -> None:
    retry = outbox_pb2.RetryOutboxEventRequest(id=str(uuid.uuid4()))
    async with refused(403, "forbidden"):
        await ops.of(workspace, roles=frozenset({"msp_admin"})).call("RetryOutboxEvent", retry)
    gateway = replace(ops, principal=Principal("gateway", workspace_id=workspace, service="gateway"))
    async with refused(404, "not-found"):
        await gateway.call("RetryOutboxEvent", retry)


@pytest.mark.parametrize("key", ["", "with space", "x" * 256])
async def test_a_mutation_needs_a_proper_idempotency_key(ops: Ops, key: str) -> None:
    async with refused(400, "idempotency-key-missing"):
        await ops.call("CreateClient", CREATE, idempotency_key=key)


async def test_a_repeated_call_gets_the_first_answer_to_the_byte(ops: Ops) -> None:
    await ops.call("CreateClient", CREATE, key="k")
    first = dict(ops.notes)
    await ops.call("CreateClient", CREATE, key="k")
    assert (first["replayed"], ops.notes["replayed"]) == (False, True)
    assert ops.notes["body"] == first["body"]
    assert (await ops.list_clients()).page.total == 1


async def test_a_key_used_for_another_body_is_refused(ops: Ops) -> None:
    await ops.call("CreateClient", CREATE, key="k")
    async with refused(422, "idempotency-key-reused"):
        await ops.call("CreateClient", CreateClientRequest(client=Client(name="Other")), key="k")


async def test_a_repeated_deletion_succeeds_again(ops: Ops) -> None:
    client = await ops.create_client()
    await ops.delete(client, key="k")
    await ops.delete(client, key="k")
    assert ops.notes["replayed"]


async def test_a_refusal_is_looked_at_afresh(ops: Ops) -> None:
    taken = await ops.create_client("Acme")
    async with refused(409, "already-exists"):
        await ops.call("CreateClient", CREATE, key="k")
    await ops.delete(taken)
    await ops.call("CreateClient", CREATE, key="k")
    assert not ops.notes["replayed"]


async def test_fifty_equal_calls_at_once_have_one_effect(
    ops: Ops, workspace: str, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async def one() -> str:
        try:
            await ops.call("CreateClient", CREATE, key="k")
        except Problem as problem:
            return problem.code
        return "done"

    outcomes = await asyncio.gather(*(one() for _ in range(50)))
    assert "done" in outcomes
    assert set(outcomes) <= {"done", "idempotency-key-in-flight"}
    assert await admin.fetchval("SELECT count(*) FROM clients WHERE workspace_id = $1", workspace) == 1


async def test_a_change_of_an_older_version_is_refused(ops: Ops) -> None:
    client = await ops.create_client()
    changed = await ops.patch(client, call={"if_match": "1"}, name="New")
    assert changed.version == 2
    for attempt in (
        ops.patch(client, call={"if_match": "1"}, name="Newer"),
        ops.replace(client, if_match="1"),
        ops.delete(client, if_match="1"),
    ):
        async with refused(412, "version-stale"):
            await attempt
    assert await ops.get(client) == changed
    await ops.patch(client, call={"if_match": "*"}, name="Newest")
    await ops.delete(client, if_match="3")


async def test_an_action_honours_the_version_too(ops: Ops) -> None:
    ticket = await ops.create_ticket(await ops.create_client())
    for attempt in (ops.resolve(ticket, if_match="2"), ops.escalate(ticket, if_match="2")):
        async with refused(412, "version-stale"):
            await attempt
    assert (await ops.resolve(ticket, if_match="1")).version == 2


async def test_of_two_changes_of_one_version_one_wins(ops: Ops) -> None:
    client = await ops.create_client()
    attempts = [ops.patch(client, call={"if_match": "1"}, name=f"Name {number}") for number in range(5)]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert len([each for each in outcomes if isinstance(each, Client)]) == 1
    assert {each.status for each in outcomes if isinstance(each, Problem)} == {412}


@pytest.mark.parametrize("version", ['"1"', "one", "-1", "1.0", "W/1", "9" * 30])
async def test_a_version_that_is_no_number_is_malformed(ops: Ops, version: str) -> None:
    client = await ops.create_client()
    async with refused(400, "if-match-malformed"):
        await ops.patch(client, call={"if_match": version}, name="New")


async def test_bytes_that_are_no_message_are_malformed(ops: Ops) -> None:
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = ops.channel.unary_unary(RPCS["ListTickets"].path)
    token = ops.signer.sign(ops.principal, "ops")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await method(b"\xff\xff", metadata=(("authorization", f"Bearer {token}"),))
    assert from_rpc_error(error.value, "ops").status == 400
