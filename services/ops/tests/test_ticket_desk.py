"""Tickets as a service desk has them: comments, links, merges."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from kit.errors import Problem
from opsfield.common.v1.page_pb2 import ASC
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.contacts_pb2 import Contact
from opsfield.ops.v1.runbooks_pb2 import Runbook
from opsfield.ops.v1.sites_pb2 import Site
from opsfield.ops.v1.ticket_comments_pb2 import ListTicketCommentsRequest, TicketComment
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.ops.tests.client import Ops
from tests.callers import refused

NOTHING = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client()


@pytest.fixture
async def ticket(ops: Ops, client: Client) -> Ticket:
    return await ops.create_ticket(client)


async def comments(ops: Ops, ticket: Ticket, **query: Any) -> Sequence[TicketComment]:
    answer = await ops.call("ListTicketComments", ListTicketCommentsRequest(ticket_id=ticket.id, **query))
    return list(answer.data)


async def test_comments_are_listed_newest_first_and_filtered(ops: Ops, ticket: Ticket, client: Client) -> None:
    await ops.comment(ticket, "one")
    await ops.of(ops.principal.workspace_id, subject="bob").comment(ticket, "TWO", visibility=TicketComment.PUBLIC)
    await ops.comment(ticket, "three", from_client=True)
    await ops.comment(await ops.create_ticket(client), "of another")
    told = [(each.body, each.author, each.visibility) for each in await comments(ops, ticket)]
    assert told == [
        ("three", "ada", TicketComment.PUBLIC),
        ("TWO", "bob", TicketComment.PUBLIC),
        ("one", "ada", TicketComment.INTERNAL),
    ]
    assert [each.body for each in await comments(ops, ticket, visibility=TicketComment.INTERNAL)] == ["one"]
    assert [each.body for each in await comments(ops, ticket, q="two")] == ["TWO"]
    assert [each.body for each in await comments(ops, ticket, limit=1, offset=1, sort_order=ASC)] == ["TWO"]


async def test_a_comment_changes_the_ticket_only_where_it_must(ops: Ops, ticket: Ticket) -> None:
    await ops.comment(ticket, "Among ourselves.")
    assert await ops.get(ticket) == ticket


async def test_a_comment_of_the_client_is_public(ops: Ops, ticket: Ticket) -> None:
    async with refused(422, path="visibility"):
        await ops.comment(ticket, from_client=True, visibility=TicketComment.INTERNAL)


async def test_an_empty_comment_is_refused_at_its_place(ops: Ops, ticket: Ticket) -> None:
    async with refused(422, path="body"):
        await ops.comment(ticket, "")


async def test_comments_are_of_a_ticket_that_exists(ops: Ops) -> None:
    async with refused(404):
        await ops.comment(Ticket(id=NOTHING))
    async with refused(404):
        await comments(ops, Ticket(id=NOTHING))


async def test_nobody_reads_a_public_comment_on_what_is_closed(ops: Ops, ticket: Ticket) -> None:
    await ops.resolve(ticket)
    await ops.patch(ticket, status=Ticket.CLOSED)
    await ops.comment(ticket, "For the record.")
    for fields in ({"from_client": True}, {"visibility": TicketComment.PUBLIC}):
        async with refused(409, "ticket-closed"):
            await ops.comment(ticket, **fields)


async def test_a_comment_cannot_be_changed_by_the_service(
    ops: Ops, ticket: Ticket, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await ops.comment(ticket)
    granted = "SELECT has_table_privilege('ops_app', 'ticket_comments', $1)"
    assert [await admin.fetchval(granted, each) for each in ("INSERT", "UPDATE", "DELETE")] == [True, False, False]


async def test_another_workspaces_ticket_takes_no_comment(ops: Ops, ticket: Ticket, workspace: str) -> None:
    other = ops.of(f"{workspace}-2")
    async with refused(404):
        await other.comment(ticket)
    async with refused(404):
        await comments(other, ticket)


async def two_to_link(ops: Ops, client: Client, kind: str) -> list[str]:
    """The ids of two assets or runbooks."""
    if kind == "asset":
        return [(await ops.create_asset(client, name)).id for name in ("srv-01", "srv-02")]
    return [(await ops.create(Runbook(title=title))).id for title in ("Restart it", "Replace it")]


@pytest.mark.parametrize("kind", ["asset", "runbook"])
async def test_linking_twice_changes_nothing(ops: Ops, ticket: Ticket, client: Client, kind: str) -> None:
    one, two = await two_to_link(ops, client, kind)

    async def link(linked: str) -> Any:
        fields: dict[str, Any] = {f"{kind}_id": linked}
        return await ops.do(f"LinkTicket{kind.capitalize()}", ticket, **fields)

    once = await link(one)
    assert (list(getattr(once, f"{kind}_ids")), once.version) == ([one], 2)
    assert await link(one) == once
    assert list(getattr(await link(two), f"{kind}_ids")) == [one, two]
    for wrong in ("x", NOTHING):
        async with refused(422, path=f"{kind}Id"):
            await link(wrong)


async def test_links_made_at_once_are_all_kept(ops: Ops, ticket: Ticket, client: Client) -> None:
    assets = [(await ops.create_asset(client, f"srv-{each}")).id for each in range(12)]
    await asyncio.gather(*(ops.do("LinkTicketAsset", ticket, asset_id=each) for each in assets))
    assert sorted((await ops.get(ticket)).asset_ids) == sorted(assets)


async def test_what_a_ticket_links_is_not_deleted(ops: Ops, ticket: Ticket, client: Client) -> None:
    asset, runbook = await ops.create_asset(client), await ops.create(Runbook(title="Restart it"))
    await ops.do("LinkTicketAsset", ticket, asset_id=asset.id)
    await ops.do("LinkTicketRunbook", ticket, runbook_id=runbook.id)
    for linked in (asset, runbook):
        async with refused(409, "in-use"):
            await ops.delete(linked)
    await ops.delete(ticket)
    for linked in (asset, runbook):
        await ops.delete(linked)


@pytest.mark.parametrize("field", ["contact_id", "site_id"])
async def test_contact_and_site_are_of_the_tickets_client(ops: Ops, ticket: Ticket, client: Client, field: str) -> None:
    async def of(owner: Client) -> str:
        if field == "contact_id":
            return str((await ops.create(Contact(client_id=owner.id, name="Jo Finch"))).id)
        return str((await ops.create(Site(client_id=owner.id, name="Quay"))).id)

    def named(value: str) -> dict[str, Any]:
        return {field: value}

    place = {"contact_id": "contactId", "site_id": "siteId"}[field]
    own, foreign = await of(client), await of(await ops.create_client("Other"))
    for wrong in (foreign, NOTHING):
        async with refused(422, path=place):
            await ops.create_ticket(client, **named(wrong))
        async with refused(422, path=place):
            await ops.patch(ticket, **named(wrong))
    assert getattr(await ops.patch(ticket, **named(own)), field) == own


async def test_a_merged_ticket_is_closed_and_the_other_takes_over(ops: Ops, ticket: Ticket, client: Client) -> None:
    target = await ops.create_ticket(client, "The same", watchers=["bob"])
    await ops.patch(ticket, watchers=["bob", "eve"])
    asset = await ops.create_asset(client)
    await ops.do("LinkTicketAsset", ticket, asset_id=asset.id)
    merged = await ops.do("MergeTicket", ticket, into_ticket_id=target.id, reason="Same printer")
    assert (merged.status, merged.merged_into_id) == (Ticket.CLOSED, target.id)
    assert merged.resolution == f"Merged into {target.number}: Same printer"
    assert merged.closed_at == merged.updated_at
    stays = await ops.get(target)
    assert (list(stays.watchers), list(stays.asset_ids), stays.status) == (["bob", "eve"], [asset.id], Ticket.NEW)
    (note,) = await comments(ops, target)
    assert note.body == f"{ticket.number} was merged into this: Same printer"
    assert note.visibility == TicketComment.INTERNAL
    async with refused(409, "ticket-merged"):
        await ops.comment(ticket)
    async with refused(409, "in-use"):
        await ops.delete(target)


async def test_what_cannot_be_merged_is_refused(ops: Ops, ticket: Ticket, client: Client) -> None:
    foreign = await ops.create_ticket(await ops.create_client("Other"))
    for into in (ticket.id, foreign.id, NOTHING):
        async with refused(422, path="intoTicketId"):
            await ops.do("MergeTicket", ticket, into_ticket_id=into, reason="x")
    middle, last = [await ops.create_ticket(client, str(each)) for each in range(2)]
    await ops.do("MergeTicket", middle, into_ticket_id=last.id, reason="x")
    for source, target in ((ticket, middle), (middle, ticket)):
        async with refused(409, "ticket-merged"):
            await ops.do("MergeTicket", source, into_ticket_id=target.id, reason="x")
    done = await ops.create_ticket(client)
    await ops.resolve(done)
    await ops.patch(done, status=Ticket.CLOSED)
    for source, target in ((ticket, done), (done, ticket)):
        async with refused(409, "ticket-closed"):
            await ops.do("MergeTicket", source, into_ticket_id=target.id, reason="x")
    async with refused(404):
        await ops.do("MergeTicket", Ticket(id=NOTHING), into_ticket_id=ticket.id, reason="x")


async def test_a_merge_meets_the_version_of_the_one_that_is_merged(ops: Ops, ticket: Ticket, client: Client) -> None:
    target = await ops.create_ticket(client)
    await ops.patch(target, tier=2)
    await ops.patch(target, tier=3)
    async with refused(412):
        await ops.do("MergeTicket", ticket, into_ticket_id=target.id, reason="x", call={"if_match": "2"})
    await ops.do("MergeTicket", ticket, into_ticket_id=target.id, reason="x", call={"if_match": "1"})


async def test_of_two_merges_into_one_another_one_wins(ops: Ops, client: Client) -> None:
    for number in range(5):
        one, two = [await ops.create_ticket(client, f"{number} {each}") for each in range(2)]
        results = await asyncio.gather(
            ops.do("MergeTicket", one, into_ticket_id=two.id, reason="x"),
            ops.do("MergeTicket", two, into_ticket_id=one.id, reason="x"),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in results) == ["Conflict", "Ticket"]
        (problem,) = [each for each in results if isinstance(each, Problem)]
        assert problem.code == "ticket-merged"
