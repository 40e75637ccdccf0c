"""A move that a lifecycle does not know is refused for each kind: the answer names the legal ones, nothing changes."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.platform import Api, Platform, assert_problem

Made = dict[str, Any]


def created(api: Api, kind: str, body: Mapping[str, Any]) -> Made:
    answer = api.post(f"/{kind}", json=body)
    assert answer.status_code == 201, answer.text
    made: Made = answer.json()
    return made


def of_a_client(kind: str, **body: Any) -> Callable[[Api], Made]:
    return lambda api: created(api, kind, {"clientId": api.new_client(currency="EUR")["id"], **body})


def of_nobody(kind: str, **body: Any) -> Callable[[Api], Made]:
    return lambda api: created(api, kind, body)


def acknowledged_alert(api: Api) -> Made:
    alert = created(api, "alerts", {"source": "uptime", "title": "Mail is down"})
    taken: Made = api.patch(f"/alerts/{alert['id']}", json={"status": "acknowledged"}).json()
    return taken


def received_payment(api: Api) -> Made:
    invoice = of_a_client("invoices", lines=[LINE])(api)
    assert api.patch(f"/invoices/{invoice['id']}", json={"status": "issued"}).status_code == 200
    return created(api, "payments", {"invoiceId": invoice["id"], "amount": "10", "status": "succeeded"})


LINE = {"description": "Work", "quantity": "1", "unitPrice": "50"}

# Kind, how one is made, the state it is sent to, the words of the refusal.
MOVES = [
    ("tickets", of_a_client("tickets", subject="Printer"), {"status": "closed"},
     "from new to closed; legal: in_progress, open, resolved."),
    ("alerts", acknowledged_alert, {"status": "firing"}, "from acknowledged to firing; legal: resolved, suppressed."),
    ("incidents", of_nobody("incidents", title="Mail is down"), {"status": "postmortem"},
     "from open to postmortem; legal: identified, investigating, monitoring, resolved."),
    ("changes", of_nobody("changes", title="New firewall"), {"status": "approved"},
     "from draft to approved; legal: submitted."),
    ("quotes", of_a_client("quotes", title="Office", validUntil="2099-12-31", lines=[LINE]), {"status": "accepted"},
     "from draft to accepted; legal: sent."),
    ("invoices", of_a_client("invoices", lines=[LINE]), {"status": "paid"}, "from draft to paid; legal: issued, void."),
    ("payments", received_payment, {"status": "pending"}, "from succeeded to pending; legal: refunded."),
    ("contracts", of_a_client("contracts", name="Care", startsOn="2099-01-01", lines=[LINE]), {"status": "expired"},
     "from draft to expired; legal: active."),
    ("assets", of_a_client("assets", name="srv-01"), {"lifecycle": "disposed"},
     "from deployed to disposed; legal: in_stock, maintenance, retired."),
    ("runbooks", of_nobody("runbooks", title="Restart it"), {"status": "published"},
     "from draft to published; legal: in_review."),
    ("knowledge-articles", of_nobody("knowledge-articles", title="How to", body="So."), {"status": "archived"},
     "from draft to archived; legal: published."),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "make", "move", "told"), MOVES, ids=[each[0] for each in MOVES])
def test_an_illegal_move_is_refused_and_the_legal_ones_are_named(
    platform: Platform, kind: str, make: Callable[[Api], Made], move: dict[str, str], told: str
) -> None:
    with platform.api(roles=("data_admin",)) as api:
        made = make(api)
        path = f"/{kind}/{made['id']}"
        problem = assert_problem(api.patch(path, json=move), 409, "illegal-transition")
        assert problem["detail"].endswith(told)
        assert api.get(path).json() == made


def test_an_asset_that_was_seen_is_never_unknown_again(platform: Platform) -> None:
    """The other axis of an asset."""
    with platform.api(roles=("data_admin",)) as api:
        asset = of_a_client("assets", name="srv-01")(api)
        path = f"/assets/{asset['id']}"
        assert api.patch(path, json={"status": "online"}).status_code == 200
        problem = assert_problem(api.patch(path, json={"status": "unknown"}), 409, "illegal-transition")
        assert problem["detail"].endswith("from online to unknown; legal: degraded, offline.")
