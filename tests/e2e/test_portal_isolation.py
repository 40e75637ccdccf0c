"""Nobody at the portal sees or changes what is another client's or another workspace's, whatever is asked."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.platform import Api, Platform, assert_problem
from tests.portal import Provider, created, done, ids_of, provider

REQUESTS = 500
LISTS = ("knowledge-base", "clients", "tickets", "quotes", "invoices", "payments")
KINDS = ("knowledge-base", "tickets", "quotes", "invoices", "payments")
# Those that take no id, with what the rows of all have and what they have not.
FILTERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "knowledge-base": {"category": ("Email",), "audience": ("all_clients", "one_client")},
    "clients": {"status": ("active", "prospect"), "currency": ("EUR", "USD")},
    "tickets": {"status": ("new", "closed"), "priority": ("medium", "low"), "category": ("Email",)},
    "quotes": {"status": ("sent", "accepted"), "currency": ("EUR", "USD")},
    "invoices": {"status": ("partially_paid", "paid"), "currency": ("EUR", "USD")},
    "payments": {"status": ("succeeded", "pending"), "method": ("other", "card"), "currency": ("EUR", "USD")},
}
ID_FILTERS: Mapping[str, tuple[str, ...]] = {
    "clients": (),
    "tickets": ("clientId", "contactId"),
    "payments": ("clientId", "invoiceId"),
}


@dataclass(frozen=True)
class World:
    """Of one client: all of its ids and a word that stands in all of its texts and in nobody else's. `hidden`: what is
    its own and still not for it to see, each with a word of its own."""

    secret: str
    person: Api
    ids: Mapping[str, str]
    hidden: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def worlds(platform: Platform) -> Iterator[list[World]]:
    """Two clients in each of two workspaces."""
    with provider(platform) as one, provider(platform) as two:
        yield [_world(staff, f"zq{letter}xj") for staff, letters in ((one, "ab"), (two, "cd")) for letter in letters]


def _world(staff: Provider, secret: str) -> World:
    client = staff.new_client(name=f"Client {secret}", notes=f"internal{secret}")["id"]
    ticket = staff.api.new_ticket(clientId=client, subject=f"Ticket {secret}", category="Email")["id"]
    staff.comment(ticket, f"internal{secret}", "internal")
    article = staff.article(f"Article {secret}", visibility="one_client", clientId=client, category="Email")["id"]
    staff.article(f"For the staff internal{secret}", visibility="internal")
    draft = {"clientId": client, "title": f"internal{secret}", "lines": []}
    draft_quote = created(staff.api.post("/quotes", json=draft))["id"]
    line = {"description": f"internal{secret}", "quantity": "1", "unitPrice": "1"}
    draft_invoice = created(staff.api.post("/invoices", json={"clientId": client, "lines": [line]}))["id"]
    quote = staff.sent_quote(client, title=f"Quote {secret}")["id"]
    invoice = staff.issued_invoice(client, notes=f"Invoice {secret}")["id"]
    payment = {"invoiceId": invoice, "amount": "1.00", "status": "succeeded", "reference": f"Paid {secret}"}
    paid = created(staff.api.post("/payments", json=payment))["id"]
    ids = {
        "clients": client,
        "tickets": ticket,
        "knowledge-base": article,
        "quotes": quote,
        "invoices": invoice,
        "payments": paid,
    }
    return World(secret, staff.person(client, "approver"), ids, [draft_quote, draft_invoice])


def test_one_sees_ones_own_world(worlds: list[World]) -> None:
    for world in worlds:
        for kind in LISTS:
            assert world.ids[kind] in ids_of(world.person.get(f"/portal/{kind}")), kind
            found = ids_of(world.person.get(f"/portal/{kind}", params={"q": world.secret.upper()}))
            # A client is asked for by its name, which stands in none of its payments.
            assert found == {world.ids[kind]}, kind
        for kind in KINDS:
            assert done(world.person.get(f"/portal/{kind}/{world.ids[kind]}"))["id"] == world.ids[kind]


def test_internal_text_is_not_found_by_searching_for_it(worlds: list[World]) -> None:
    for world in worlds:
        for kind in LISTS:
            assert ids_of(world.person.get(f"/portal/{kind}", params={"q": f"internal{world.secret}"})) == set()
        assert "internal" not in world.person.get(f"/portal/tickets/{world.ids['tickets']}").text
        for hidden in world.hidden:
            for kind in ("quotes", "invoices"):
                assert world.person.get(f"/portal/{kind}/{hidden}").status_code == 404


def test_a_token_is_for_one_workspace_and_no_route_of_the_staffs(worlds: list[World]) -> None:
    first, *others = worlds
    for other in others:
        if other.person.workspace == first.person.workspace:
            continue
        for kind in LISTS:
            answer = first.person.get(f"/portal/{kind}", headers={"x-workspace-id": other.person.workspace})
            assert_problem(answer, 403, "workspace-not-allowed")
    for path in ("/tickets", "/clients", "/invoices", "/portal/invites", "/portal/sessions", "/ops/summary", "/jobs"):
        assert first.person.get(path).status_code in (403, 404), path


def test_no_forged_request_gets_a_foreign_row(worlds: list[World]) -> None:
    dice = random.Random(20261124)
    foreign_rows = refused = 0
    for _ in range(REQUESTS):
        me = dice.choice(worlds)
        others = [world for world in worlds if world is not me]
        answer = _forge(dice, me.person, dice.choice(others))
        assert answer.status_code in (200, 404, 422), answer.text
        assert answer.status_code != 404 or answer.json()["code"] == "not-found"
        if answer.status_code == 422:
            assert answer.headers["content-type"] == "application/problem+json"
            refused += 1
            continue
        asked = str(answer.request.url) + answer.request.content.decode()
        for other in others:
            for given in (other.secret, *other.ids.values(), *other.hidden):
                # What one has sent may be named in the answer (a 404, the filters); what one has not must not.
                if given in answer.text and given not in asked:
                    foreign_rows += 1
        if answer.status_code == 200 and answer.request.method == "GET":
            foreign_rows += _foreign_in(answer.json(), others)
    assert foreign_rows == 0
    assert refused == 0, "a request that is refused for its form proves nothing"
    for world in worlds:
        _is_untouched(world)


def _forge(dice: random.Random, person: Api, other: World) -> httpx.Response:
    """A request for something of the other world."""
    kind = dice.choice(LISTS)
    match dice.randrange(5):
        case 0:
            return person.get("/portal/summary", params={"clientId": other.ids["clients"]})
        case 1:
            return person.get(f"/portal/{dice.choice(KINDS)}/{dice.choice(list(other.ids.values()) + other.hidden)}")
        case 2:
            path, body = dice.choice(_actions(other))
            answer = person.post(f"/portal/{path}", json=body)
            assert answer.status_code == 404, answer.text
            return answer
        case 3:
            q = dice.choice(
                (other.secret, "%", "_", "zq%xj", "client", "' OR true --", "internal", other.ids[kind][:13])
            )
            return person.get(f"/portal/{kind}", params={"q": q, **_query(dice, kind, other)})
        case _:
            return person.get(f"/portal/{kind}", params=_query(dice, kind, other))


def _actions(other: World) -> list[tuple[str, dict[str, Any]]]:
    ticket, quote, invoice = other.ids["tickets"], other.ids["quotes"], other.ids["invoices"]
    return [
        (f"tickets/{ticket}/update", {"action": "comment", "comment": "Mine now."}),
        (f"tickets/{ticket}/update", {"action": "close"}),
        (f"quotes/{quote}/decision", {"decision": "rejected", "termsDigest": "0" * 64, "reason": "No."}),
        (f"quotes/{other.hidden[0]}/decision", {"decision": "accepted", "termsDigest": "0" * 64}),
        (f"invoices/{invoice}/acknowledge", {}),
        (f"invoices/{invoice}/payment-intent", {"amount": "1"}),
        (f"payments/{other.ids['payments']}/withdraw", {}),
    ]


def _query(dice: random.Random, kind: str, other: World) -> dict[str, str]:
    query = {"limit": str(dice.choice((1, 50, 200))), "sortOrder": dice.choice(("asc", "desc"))}
    filters = FILTERS[kind]
    for name in dice.sample(sorted(filters), dice.randrange(3)):
        query[name] = dice.choice(filters[name])
    for name in ID_FILTERS.get(kind, ("clientId",)):
        if dice.random() < 0.5:
            query[name] = other.ids["clients"] if name == "clientId" else dice.choice(list(other.ids.values()))
    return query


def _foreign_in(answer: dict[str, Any], others: list[World]) -> int:
    rows = answer.get("data", [answer])
    clients = {world.ids["clients"] for world in others}
    known = {each for world in others for each in (*world.ids.values(), *world.hidden)}
    found = sum(row.get("id") in known or row.get("clientId") in clients for row in rows)
    if "counters" in answer:
        # Asked for another's, one's own are not counted either.
        found += sum(int(count) for count in answer["counters"].values()) + len(answer["approvals"])
    return found


def _is_untouched(world: World) -> None:
    ticket = done(world.person.get(f"/portal/tickets/{world.ids['tickets']}"))
    assert (ticket["status"], ticket["comments"]) == ("new", [])
    assert done(world.person.get(f"/portal/quotes/{world.ids['quotes']}"))["status"] == "sent"
    invoice = done(world.person.get(f"/portal/invoices/{world.ids['invoices']}"))
    assert (invoice["acknowledgedAt"], invoice["balance"]) == (None, "179.00")
