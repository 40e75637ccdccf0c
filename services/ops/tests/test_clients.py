"""Clients: the six standard rpcs."""

import asyncio
from typing import Any

import pytest

from kit.errors import Problem
from opsfield.ops.v1.clients_pb2 import Address, Client
from services.ops.tests.client import Ops
from tests.callers import refused

EVERYTHING: dict[str, Any] = {
    "name": "Müller & Söhne",
    "status": Client.ONBOARDING,
    "abbreviation": "MUS",
    "industry": "Bakery",
    "website": "https://mueller.example",
    "email": "it@mueller.example",
    "phone": "+49 30 1234",
    "billing_address": Address(line1="Hauptstr. 1", city="Berlin", postal_code="10115", country="DE"),
    "currency": "EUR",
    "payment_terms_days": 0,
    "hourly_rate": "95.50",
    "tax_id": "DE1",
    "notes": "Rings twice.",
    "tags": ["vip", "bakery"],
}


async def test_what_is_created_is_answered_and_found(ops: Ops) -> None:
    created = await ops.create_client(**EVERYTHING)
    assert {name: getattr(created, name) for name in EVERYTHING} == EVERYTHING
    assert (created.version, created.created_by) == (1, "ada")
    assert created.created_at.seconds == created.updated_at.seconds > 0
    assert await ops.get(created) == created
    assert list((await ops.list_clients()).data) == [created]


async def test_a_client_needs_no_more_than_a_name(ops: Ops) -> None:
    created = await ops.create_client("Acme")
    assert created.status == Client.ACTIVE
    assert not created.HasField("payment_terms_days")
    assert not created.HasField("billing_address")


async def test_input_is_refused_with_every_error_at_its_place(ops: Ops) -> None:
    with pytest.raises(Problem) as problem:
        await ops.create_client("", email="x", billing_address=Address(country="Germany"), tags=["", "ok"])
    assert problem.value.status == 422
    assert {error.path for error in problem.value.errors} == {
        "name",
        "email",
        "billingAddress.country",
        "tags[0]",
    }


async def test_a_rate_without_a_currency_is_refused(ops: Ops) -> None:
    async with refused(422, "validation-failed", path="currency"):
        await ops.create_client(hourly_rate="95")


async def test_what_only_the_platform_sets_cannot_be_chosen(ops: Ops) -> None:
    created = await ops.create_client(id="mine", version=9, created_by="someone else")
    assert created.id != "mine"
    assert (created.version, created.created_by) == (1, "ada")


async def test_a_replacement_clears_what_it_leaves_out_but_for_the_status(ops: Ops) -> None:
    created = await ops.create_client(**EVERYTHING)
    replaced = await ops.replace(Client(id=created.id, name="Müller"))
    assert (replaced.name, replaced.status, replaced.version) == ("Müller", Client.ONBOARDING, 2)
    assert not replaced.HasField("email")
    assert list(replaced.tags) == []
    assert replaced.created_at == created.created_at
    assert await ops.get(created) == replaced


async def test_a_patch_changes_what_it_names_and_nothing_else(ops: Ops) -> None:
    created = await ops.create_client(**EVERYTHING)
    patched = await ops.patch(created, "email", "tags", "billing_address.line1", phone="1")
    expected = Client()
    expected.CopyFrom(created)
    expected.ClearField("email")
    expected.ClearField("tags")
    expected.billing_address.ClearField("line1")
    expected.phone, expected.version = "1", 2
    expected.updated_at.CopyFrom(patched.updated_at)
    assert patched == expected
    assert await ops.get(created) == expected


async def test_a_patch_of_part_of_an_address_makes_one_where_there_is_none(ops: Ops) -> None:
    created = await ops.create_client()
    request = Client(id=created.id)
    patched = await ops.patch(request, billing_address=Address(city="Berlin"))
    assert patched.billing_address == Address(city="Berlin")


@pytest.mark.parametrize("path", ["id", "version", "created_at", "nothing"])
async def test_a_patch_of_what_cannot_be_written_is_refused(ops: Ops, path: str) -> None:
    created = await ops.create_client()
    async with refused(422, path=path):
        await ops.patch(created, path)
    assert await ops.get(created) == created


async def test_a_patch_cannot_clear_the_name(ops: Ops) -> None:
    created = await ops.create_client()
    async with refused(422, path="name"):
        await ops.patch(created, "name")


async def test_a_change_to_the_same_is_no_change(ops: Ops) -> None:
    created = await ops.create_client(**EVERYTHING)
    assert await ops.patch(created, name=created.name, billing_address=created.billing_address) == created
    assert await ops.replace(created) == created


async def test_an_illegal_move_names_the_legal_ones(ops: Ops) -> None:
    created = await ops.create_client(status=Client.PROSPECT)
    with pytest.raises(Problem) as problem:
        await ops.patch(created, status=Client.SUSPENDED)
    assert (problem.value.status, problem.value.code) == (409, "illegal-transition")
    assert "legal: active, offboarded, onboarding" in problem.value.detail


async def test_a_name_is_unique_in_its_workspace_whatever_the_case(ops: Ops, workspace: str) -> None:
    created = await ops.create_client("Äcme")
    async with refused(409, "already-exists", path="name"):
        await ops.create_client("äCME")
    other = await ops.create_client("Other")
    async with refused(409, "already-exists", path="name"):
        await ops.patch(other, name="ÄCME")
    await ops.of(f"{workspace}-2").create_client("Äcme")
    assert await ops.get(created) == created


async def test_a_name_is_free_again_after_its_client_is_deleted(ops: Ops) -> None:
    await ops.delete(await ops.create_client("Acme"))
    await ops.create_client("ACME")


async def test_what_is_deleted_is_gone_for_every_rpc(ops: Ops) -> None:
    deleted = await ops.create_client()
    await ops.delete(deleted)
    for attempt in (ops.get(deleted), ops.patch(deleted, name="x"), ops.replace(deleted), ops.delete(deleted)):
        async with refused(404, "not-found"):
            await attempt
    assert (await ops.list_clients()).page.total == 0
    assert (await ops.list_clients(q="acme")).page.total == 0


async def test_a_client_with_tickets_cannot_be_deleted_until_they_are(ops: Ops) -> None:
    client = await ops.create_client()
    tickets = [await ops.create_ticket(client) for _ in range(2)]
    with pytest.raises(Problem) as problem:
        await ops.delete(client)
    assert (problem.value.status, problem.value.code) == (409, "in-use")
    assert "2 tickets" in problem.value.detail
    for ticket in tickets:
        await ops.delete(ticket)
    await ops.delete(client)


async def test_another_workspace_knows_nothing_of_a_client(ops: Ops, workspace: str) -> None:
    client = await ops.create_client()
    stranger = ops.of(f"{workspace}-2")
    for attempt in (
        stranger.get(client),
        stranger.patch(client, name="x"),
        stranger.replace(client),
        stranger.delete(client),
    ):
        async with refused(404, "not-found"):
            await attempt
    async with refused(422, path="clientId"):
        await stranger.create_ticket(client)
    assert (await stranger.list_clients()).page.total == 0
    assert await ops.get(client) == client


async def test_a_client_and_its_first_ticket_race_and_only_one_wins(ops: Ops) -> None:
    for number in range(25):
        client = await ops.create_client(f"Client {number}")
        created, deleted = await asyncio.gather(ops.create_ticket(client), ops.delete(client), return_exceptions=True)
        for each in (created, deleted):
            assert not isinstance(each, BaseException) or (isinstance(each, Problem) and each.status in (409, 422))
        assert isinstance(created, Problem) != isinstance(deleted, Problem)
    orphans = [ticket.client_id for ticket in (await ops.list_tickets(limit=200)).data]
    alive = {client.id for client in (await ops.list_clients(limit=200)).data}
    assert set(orphans) <= alive
