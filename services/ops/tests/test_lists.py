"""Lists: filters, order, pages and free-text search."""

import pytest

from opsfield.common.v1.page_pb2 import ASC, DESC, Page, Sort
from opsfield.ops.v1.clients_pb2 import Client
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.ops.tests.client import Ops
from tests.callers import refused


@pytest.fixture
async def client(ops: Ops) -> Client:
    return await ops.create_client()


async def test_a_list_is_newest_first_unless_said_otherwise(ops: Ops, client: Client) -> None:
    for subject in ("one", "two", "three"):
        await ops.create_ticket(client, subject)
    answer = await ops.list_tickets()
    assert [ticket.subject for ticket in answer.data] == ["three", "two", "one"]
    assert answer.page == Page(limit=50, offset=0, returned=3, total=3)
    assert answer.sort == Sort(by="createdAt", order=DESC)
    assert dict(answer.filters) == {}


async def test_pages_hold_every_row_once(ops: Ops, client: Client) -> None:
    for number in range(7):
        await ops.create_ticket(client, f"same {number % 2}")
    seen = []
    for offset in (0, 3, 6, 9):
        answer = await ops.list_tickets(limit=3, offset=offset, sort_by="subject", sort_order=ASC)
        assert answer.page == Page(limit=3, offset=offset, returned=len(answer.data), total=7)
        seen += [ticket.id for ticket in answer.data]
    assert len(seen) == len(set(seen)) == 7


@pytest.mark.parametrize(("query", "path"), [({"limit": 201}, "limit"), ({"limit": -1}, "limit"),
                                             ({"offset": -1}, "offset"), ({"sort_by": "search"}, "sortBy"),
                                             ({"tier": 4}, "tier"), ({"client_id": "x"}, "clientId"),
                                             ({"q": "a\0"}, "q"), ({"status": 77}, "status")])  # fmt: skip
async def test_a_query_that_makes_no_sense_is_refused(ops: Ops, query: dict[str, object], path: str) -> None:
    async with refused(422, path=path):
        await ops.list_tickets(**query)


async def test_priority_is_sorted_by_severity(ops: Ops, client: Client) -> None:
    for name in ("high", "low", "critical", "medium"):
        await ops.create_ticket(client, name, priority=Ticket.Priority.Value(name.upper()))
    assert await ops.subjects(sort_by="priority", sort_order=DESC) == ["critical", "high", "medium", "low"]
    assert await ops.subjects(sort_by="priority", sort_order=ASC) == ["low", "medium", "high", "critical"]


async def test_status_is_sorted_by_the_course_of_a_ticket(ops: Ops, client: Client) -> None:
    tickets = [await ops.create_ticket(client, name) for name in ("resolved", "new", "open")]
    await ops.resolve(tickets[0])
    await ops.patch(tickets[2], status=Ticket.OPEN)
    assert await ops.subjects(sort_by="status", sort_order=ASC) == ["new", "open", "resolved"]


@pytest.mark.parametrize("order", [ASC, DESC])
@pytest.mark.parametrize("field", ["assigneeId", "category"])
async def test_what_has_no_value_comes_last_either_way(ops: Ops, client: Client, field: str, order: int) -> None:
    await ops.create_ticket(client, "none")
    for name in ("a", "b"):
        await ops.create_ticket(client, name, assignee_id=name, category=name)
    await ops.create_ticket(client, "none")
    known = ["a", "b"] if order == ASC else ["b", "a"]
    assert await ops.subjects(sort_by=field, sort_order=order) == [*known, "none", "none"]


async def test_what_is_not_resolved_comes_last_either_way(ops: Ops, client: Client) -> None:
    await ops.create_ticket(client, "unresolved")
    await ops.resolve(await ops.create_ticket(client, "resolved"))
    for order in (ASC, DESC):
        assert await ops.subjects(sort_by="resolvedAt", sort_order=order) == ["resolved", "unresolved"]


async def test_numbers_are_sorted_as_numbers(ops: Ops, client: Client) -> None:
    tickets = [await ops.create_ticket(client) for _ in range(3)]
    answer = await ops.list_tickets(sort_by="number", sort_order=ASC)
    assert [ticket.number for ticket in answer.data] == [ticket.number for ticket in tickets]


async def test_each_filter_finds_its_own(ops: Ops, client: Client) -> None:
    other = await ops.create_client("Other")
    one = await ops.create_ticket(
        client, "one", priority=Ticket.HIGH, source=Ticket.PHONE, category="Mail", assignee_id="bob", tier=2
    )
    await ops.create_ticket(other, "two")
    await ops.patch(one, status=Ticket.OPEN)
    for query, word in (
        ({"status": Ticket.OPEN}, {"status": "open"}),
        ({"priority": Ticket.HIGH}, {"priority": "high"}),
        ({"source": Ticket.PHONE}, {"source": "phone"}),
        ({"category": "Mail"}, {"category": "Mail"}),
        ({"assignee_id": "bob"}, {"assigneeId": "bob"}),
        ({"tier": 2}, {"tier": "2"}),
        ({"client_id": client.id}, {"clientId": client.id}),
        ({"number": "T-1001"}, {"number": "T-1001"}),
        ({"number": "t-1001"}, {"number": "t-1001"}),
        ({"status": Ticket.OPEN, "tier": 2}, {"status": "open", "tier": "2"}),
    ):
        answer = await ops.list_tickets(**query)
        assert [ticket.subject for ticket in answer.data] == ["one"], query
        assert dict(answer.filters) == word
        assert answer.page.total == 1


async def test_a_filter_that_fits_nothing_finds_nothing(ops: Ops, client: Client) -> None:
    await ops.create_ticket(client)
    for query in ({"status": Ticket.CLOSED}, {"number": "T-9"}, {"number": "nonsense"}, {"category": "%"}):
        assert await ops.subjects(**query) == []
    assert await ops.subjects(status=Ticket.NEW, tier=3) == []


async def test_free_text_finds_a_part_of_any_value_in_any_case(ops: Ops, client: Client) -> None:
    await ops.create_ticket(
        client,
        "Drucker der BÄCKEREI",
        description="It prints\nonly green.",
        category="Hardware",
        assignee_id="bob@msp.example",
        tags=["Urgent"],
        source=Ticket.PHONE,
    )
    await ops.create_ticket(client, "Something else")
    for q in (
        "T-1001", "t-1001", "bäckerei", "BÄCK", "only green", "hardware", "BOB@", "urgent", "phone", client.id[-12:]
    ):  # fmt: skip
        assert "Drucker der BÄCKEREI" in await ops.subjects(q=q), q
    for q in ("T-1002", "something"):
        assert await ops.subjects(q=q) == ["Something else"], q
    assert await ops.subjects(q="purple") == []


async def test_free_text_takes_wildcards_literally(ops: Ops, client: Client) -> None:
    for subject in ("100% full", "100 full", "snake_case", "snakeXcase", "back\\slash"):
        await ops.create_ticket(client, subject)
    assert await ops.subjects(q="100%") == ["100% full"]
    assert await ops.subjects(q="%") == ["100% full"]
    assert await ops.subjects(q="snake_c") == ["snake_case"]
    assert await ops.subjects(q="k\\s") == ["back\\slash"]
    assert await ops.subjects(q="' OR 1=1") == []


async def test_free_text_finds_what_is_there_now_and_not_what_was(ops: Ops, client: Client) -> None:
    ticket = await ops.create_ticket(client, "before")
    await ops.patch(ticket, subject="after")
    assert await ops.subjects(q="before") == []
    assert await ops.subjects(q="after") == ["after"]
    assert await ops.subjects(q="T-1001") == ["after"]


async def test_free_text_finds_who_created_a_ticket(ops: Ops, client: Client) -> None:
    carol = ops.of(ops.principal.workspace_id, subject="carol@msp.example")
    ticket = await carol.create_ticket(client, "hers")
    assert await ops.subjects(q="carol@") == ["hers"]
    await ops.patch(ticket, tier=2)
    assert await ops.subjects(q="carol@") == ["hers"]


async def test_free_text_and_filters_count_together(ops: Ops, client: Client) -> None:
    for number in range(5):
        await ops.create_ticket(client, f"printer {number}", priority=Ticket.HIGH if number % 2 else Ticket.LOW)
    answer = await ops.list_tickets(q="printer", priority=Ticket.LOW, limit=2)
    assert answer.page == Page(limit=2, offset=0, returned=2, total=3)


async def test_clients_are_listed_the_same_way(ops: Ops) -> None:
    for name, currency in (("Beta", "EUR"), ("alpha", "USD"), ("Gamma", "EUR")):
        await ops.create_client(name, currency=currency)
    euro = await ops.list_clients(currency="EUR", sort_by="name", sort_order=ASC)
    assert [client.name for client in euro.data] == ["Beta", "Gamma"]
    assert [client.name for client in (await ops.list_clients(q="ALPH")).data] == ["alpha"]
    assert (await ops.list_clients(status=Client.SUSPENDED)).page.total == 0
