"""Which policy a ticket is bound to: the client's own, that of its contract, or the default."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devstack.stack import Stack
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.contracts_pb2 import Contract
from opsfield.ops.v1.portal_tickets_pb2 import OpenPortalTicketRequest
from opsfield.ops.v1.sla_policies_pb2 import SlaPolicy
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.ops.tests.billing import billed
from services.ops.tests.client import Ops
from services.ops.tests.policies import policy
from services.ops.tests.portal import as_person
from tests.callers import refused


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client(currency="EUR")


@pytest.fixture
async def standard(ops: Ops) -> SlaPolicy:
    created: SlaPolicy = await ops.create(policy(is_default=True))
    return created


@pytest.fixture
async def gold(ops: Ops) -> SlaPolicy:
    created: SlaPolicy = await ops.create(policy("Gold", first=10, last=30))
    return created


def day(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


async def agreed(ops: Ops, client: Client, promise: SlaPolicy | None, **fields: Any) -> Contract:
    """An active contract."""
    content = {"name": "Care", "starts_on": day(-30), "sla_policy_id": promise.id if promise else None, **fields}
    contract = await billed(ops).create(Contract(client_id=client.id, **content))
    found: Contract = await billed(ops).patch(contract, status=Contract.ACTIVE)
    return found


async def test_a_contracts_policy_comes_between_the_clients_own_and_the_default(
    ops: Ops, client: Client, standard: SlaPolicy, gold: SlaPolicy
) -> None:
    await agreed(ops, client, gold)
    ticket = await ops.create_ticket(client)
    assert (ticket.sla_policy_id, ticket.sla.policy_name) == (gold.id, "Gold")
    assert (await ops.create_ticket(await ops.create_client("Other"))).sla_policy_id == standard.id
    own = await ops.create(policy("Own", client_id=client.id))
    assert (await ops.create_ticket(client)).sla_policy_id == own.id
    assert (await ops.get(ticket)).sla_policy_id == gold.id


async def test_a_contract_counts_while_it_is_active(
    ops: Ops, client: Client, standard: SlaPolicy, gold: SlaPolicy
) -> None:
    contract = await billed(ops).create(
        Contract(client_id=client.id, name="Care", starts_on=day(-30), sla_policy_id=gold.id)
    )
    assert (await ops.create_ticket(client)).sla_policy_id == standard.id
    for status, chosen in ((Contract.ACTIVE, gold), (Contract.SUSPENDED, standard), (Contract.ACTIVE, gold)):
        await billed(ops).patch(contract, status=status)
        assert (await ops.create_ticket(client)).sla_policy_id == chosen.id
    await billed(ops).patch(contract, status=Contract.TERMINATED, termination_reason="Sold.")
    assert (await ops.create_ticket(client)).sla_policy_id == standard.id


async def test_a_contract_counts_from_its_first_day(
    ops: Ops, client: Client, standard: SlaPolicy, gold: SlaPolicy
) -> None:
    await agreed(ops, client, gold, starts_on=day(2))
    assert (await ops.create_ticket(client)).sla_policy_id == standard.id
    await agreed(ops, client, gold, starts_on=day(-2), ends_on=day(2))
    assert (await ops.create_ticket(client)).sla_policy_id == gold.id


async def test_of_several_contracts_the_one_that_began_last_counts(
    ops: Ops, client: Client, standard: SlaPolicy, gold: SlaPolicy
) -> None:
    del standard
    silver = await ops.create(policy("Silver"))
    await agreed(ops, client, gold, starts_on=day(-10))
    await agreed(ops, client, silver, starts_on=day(-20))
    await agreed(ops, client, None, starts_on=day(-5))
    assert (await ops.create_ticket(client)).sla_policy_id == gold.id


async def test_a_contracts_policy_that_is_another_clients_by_now_counts_for_nothing(
    ops: Ops, client: Client, standard: SlaPolicy, gold: SlaPolicy
) -> None:
    await agreed(ops, client, gold)
    await ops.patch(gold, client_id=(await ops.create_client("Other")).id)
    assert (await ops.create_ticket(client)).sla_policy_id == standard.id


async def test_a_clients_people_get_what_its_contract_promises(
    ops: Ops, stack: Stack, client: Client, standard: SlaPolicy, gold: SlaPolicy
) -> None:
    del standard
    await agreed(ops, client, gold)
    opened = await as_person(ops, stack, client.id).call("OpenPortalTicket", OpenPortalTicketRequest(subject="Help"))
    assert (await ops.get(Ticket(id=opened.id))).sla_policy_id == gold.id


async def test_the_policy_of_another_client_is_refused(ops: Ops, client: Client, standard: SlaPolicy) -> None:
    foreign = await ops.create(policy("Theirs", client_id=(await ops.create_client("Other")).id))
    async with refused(422, path="slaPolicyId"):
        await ops.create_ticket(client, sla_policy_id=foreign.id)
    ticket = await ops.create_ticket(client)
    async with refused(422, path="slaPolicyId"):
        await ops.patch(ticket, sla_policy_id=foreign.id)
    assert (await ops.get(ticket)).sla_policy_id == standard.id


async def test_a_contract_names_no_policy_of_another_client(ops: Ops, client: Client) -> None:
    others = await ops.create(policy("Theirs", client_id=(await ops.create_client("Other")).id))
    async with refused(422, path="slaPolicyId"):
        await agreed(ops, client, others)
    contract = await agreed(ops, client, None)
    async with refused(422, path="slaPolicyId"):
        await billed(ops).patch(contract, sla_policy_id=others.id)


async def test_the_default_is_not_one_clients(ops: Ops, client: Client, standard: SlaPolicy) -> None:
    async with refused(422, path="isDefault"):
        await ops.create(policy("Own", client_id=client.id, is_default=True))
    async with refused(422, path="isDefault"):
        await ops.patch(standard, client_id=client.id)
    assert (await ops.get(standard)).is_default
