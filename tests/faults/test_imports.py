"""Rows are imported once each and counted once each, while integrations and ops are killed, and bad rows are told.

`ROWS=100000 make test ARGS=tests/faults/test_imports.py` for a long run.
"""

import csv
import io
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.imports import CLIENTS, TICKETS, artifact, begin, clients_file, counts, csv_of, ended, job, total, upload
from tests.platform import Api, Platform, eventually

# A multiple of 100.
COUNT = int(os.environ.get("ROWS", "3000"))
BAD = COUNT // 100
PARTS = 3 + COUNT // 50_000
# How long the next rows, or what is left of them, may take on a machine that is busy with others.
PATIENCE = 240.0 + COUNT / 50
# A job whose worker was killed is taken over soon.
QUICK = {"JOB_LEASE_SECONDS": "2"}


@pytest.fixture
def admin(platform: Platform) -> Iterator[Api]:
    platform.restart("integrations", QUICK)
    with platform.api(("data_admin",)) as admin:
        yield admin
    platform.restart("integrations")


def kill_along(platform: Platform, admin: Api, begun: dict[str, Any]) -> None:
    """Kill -9 one or the other again and again while rows are done, and start it again."""
    chance = random.Random(begun["kind"])
    for mark in range(500, COUNT, max(1000, COUNT // 20)):

        def has_come(mark: int = mark) -> bool:
            found = job(admin, begun["id"])
            return bool(found["isFinal"]) or found["rowsDone"] >= mark

        eventually(has_come, seconds=PATIENCE)
        victim = chance.choice(("integrations", "ops"))
        platform.kill(victim)
        platform.start(victim, QUICK if victim == "integrations" else None)


def test_clients_then_tickets_while_integrations_and_ops_are_killed(platform: Platform, admin: Api) -> None:
    clients = upload(admin, clients_file(COUNT, BAD), parts=PARTS)
    begun = begin(admin, "clients", clients, CLIENTS, externalIdColumn="Id")
    kill_along(platform, admin, begun)
    found = ended(admin, begun, seconds=PATIENCE)
    assert counts(found) == (COUNT, COUNT - BAD, 0, BAD)
    assert (found["rowsTotal"], found["errorCode"], found["retryCount"]) == (COUNT, None, 0)
    assert total(admin, "clients") == COUNT - BAD
    report = list(csv.DictReader(io.StringIO(artifact(platform, found).decode())))
    assert [int(line["row"]) for line in report] == list(range(COUNT - BAD + 1, COUNT + 1))
    assert {line["column"] for line in report} == {"Name"}
    assert f"C-{COUNT - 1};" in report[-1]["record"]

    rows = [
        [f"T-{n}", f"Ticket {n}", f"C-{n % (COUNT - BAD)}" if n % 100 else "nobody", "high", "a;b"]
        for n in range(COUNT)
    ]
    tickets = upload(admin, csv_of(["Key", "Subject", "Customer", "Prio", "Tags"], *rows), parts=PARTS)
    begun = begin(admin, "tickets", tickets, TICKETS, externalIdColumn="Key")
    kill_along(platform, admin, begun)
    found = ended(admin, begun, seconds=PATIENCE)
    assert counts(found) == (COUNT, COUNT - BAD, 0, BAD)
    assert total(admin, "tickets") == COUNT - BAD
    assert total(admin, "tickets?priority=high") == COUNT - BAD
    [report_line, *_] = csv.DictReader(io.StringIO(artifact(platform, found).decode()))
    assert (report_line["row"], report_line["column"]) == ("1", "Customer")
    [ticket] = admin.get("/tickets", params={"q": f"Ticket {COUNT - 1}"}).json()["data"]
    client = admin.get(f"/clients/{ticket['clientId']}").json()
    assert (client["name"], client["billingAddress"]["city"], ticket["tags"]) == (
        f"Client {BAD - 1}",
        f"City\n{BAD - 1}",
        ["a", "b"],
    )

    again = ended(admin, begin(admin, "clients", clients, CLIENTS, externalIdColumn="Id"), seconds=PATIENCE)
    assert counts(again) == (COUNT, 0, COUNT - BAD, BAD)
    assert total(admin, "clients") == COUNT - BAD

    exported = admin.post("/exports", json={"kind": "clients", "format": "csv"})
    assert exported.status_code == 202
    found = ended(admin, exported.json(), seconds=PATIENCE)
    lines = list(csv.DictReader(io.StringIO(artifact(platform, found).decode())))
    assert (found["rowsDone"], found["rowsTotal"]) == (COUNT - BAD, COUNT - BAD)
    expected = sorted((f"Client {n}", f"City\n{n}") for n in range(COUNT - BAD))
    assert sorted((line["name"], line["billingAddress.city"]) for line in lines) == expected
    assert len({line["id"] for line in lines}) == COUNT - BAD
