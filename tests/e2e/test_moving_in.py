"""A provider moves in from ITFlow and Tactical RMM, with the files that those write, and runs everything twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.imports import artifact, counts, ended, total, upload
from tests.platform import Api, Platform

DATA = Path(__file__).resolve().parents[1] / "data"
DENTAL = [{"field": "clientId", "value": "Harbour Dental"}]


@pytest.fixture
def admin(platform: Platform) -> Iterator[Api]:
    with platform.api(("data_admin",)) as admin:
        yield admin


def moved(admin: Api, profile: str, **fields: Any) -> dict[str, Any]:
    [known] = [each for each in admin.get("/import-profiles").json()["data"] if each["name"] == profile]
    data = (DATA / f"{profile.replace('.', '-')}.{known['format']}").read_bytes()
    answer = admin.post("/imports", json={"profile": profile, "uploadId": upload(admin, data), **fields})
    assert answer.status_code == 202, answer.text
    begun = answer.json()
    assert (begun["profile"], begun["kind"], begun["format"]) == (profile, known["kind"], known["format"])
    return ended(admin, begun)


def one(admin: Api, kind: str, q: str) -> dict[str, Any]:
    [found] = admin.get(f"/{kind}", params={"q": q}).json()["data"]
    return dict(found)


def test_from_itflow_then_from_tactical_rmm(platform: Platform, admin: Api) -> None:
    assert counts(moved(admin, "itflow.clients")) == (3, 3, 0, 0)
    assert counts(moved(admin, "itflow.locations", defaults=DENTAL)) == (2, 2, 0, 0)
    assert counts(moved(admin, "itflow.contacts", defaults=DENTAL)) == (3, 2, 0, 1)
    assert counts(moved(admin, "itflow.assets")) == (3, 3, 0, 0)
    tickets = moved(admin, "itflow.tickets", timeZone="Europe/Dublin")
    assert counts(tickets) == (5, 4, 0, 1)
    assert b"must be one of Low, Medium, High, Urgent" in artifact(platform, tickets)

    dental, mary = one(admin, "clients", "harbour"), one(admin, "contacts", "mary byrne")
    laptop, toner = one(admin, "assets", "HD-LT-01"), one(admin, "tickets", "toner")
    assert mary["clientId"] == laptop["clientId"] == toner["clientId"] == dental["id"]
    assert (laptop["contactId"], toner["contactId"]) == (mary["id"], mary["id"])
    assert laptop["siteId"] == mary["siteId"] == one(admin, "sites", "ground floor")["id"]
    assert (toner["status"], toner["resolution"]) == ("closed", "Resolved in ITFlow.")
    assert one(admin, "tickets", "second screen")["status"] == "waiting_on_client"

    assert counts(moved(admin, "itflow.clients")) == (3, 0, 3, 0)
    assert counts(moved(admin, "itflow.contacts", defaults=DENTAL)) == (3, 0, 2, 1)
    assert counts(moved(admin, "itflow.assets")) == (3, 0, 3, 0)
    assert counts(moved(admin, "itflow.tickets", timeZone="Europe/Dublin")) == (5, 0, 4, 1)
    assert one(admin, "tickets", "toner")["status"] == "closed"
    assert [total(admin, kind) for kind in ("clients", "sites", "contacts", "assets", "tickets")] == [3, 2, 2, 3, 4]

    # The client and its site are known by their names; the server is there already, by its serial number.
    assert counts(moved(admin, "tactical-rmm.clients")) == (2, 1, 1, 0)
    assert counts(moved(admin, "tactical-rmm.sites")) == (2, 1, 1, 0)
    agents = moved(admin, "tactical-rmm.agents")
    assert counts(agents) == (2, 1, 0, 1)
    assert b"serial_number" in artifact(platform, agents)
    assert counts(moved(admin, "tactical-rmm.agents")) == (2, 0, 1, 1)
    assert one(admin, "assets", "hd-mac-02")["clientId"] == dental["id"]
    assert [total(admin, kind) for kind in ("clients", "sites", "assets")] == [4, 3, 4]
