"""The books, once everything runs again: what was answered is there, once, and nothing else is."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from services.workflow.audit.verify import verify_trail
from tests.databases import count
from tests.faults.storm.load import Books, Load
from tests.platform import Platform, eventually

_SERVICES_WITH_EVENTS = ("ops", "workflow", "agent_runtime", "telemetry", "integrations", "platform", "portal")
_PATIENCE = 300.0


def check(platform: Platform, books: Books, loads: list[Load], *, keys_are_kept: bool = True) -> dict[str, int]:
    """Counts for the report. `keys_are_kept`: what was answered under a key is still known. Raises AssertionError with
    what does not add up."""
    kinds = {re.sub(r"[0-9a-f-]{36}", "…", each)[:250]: each for each in books.wrong}
    assert not kinds, f"{len(books.wrong)} answers were wrong: {list(kinds.values())[:5]}"
    began = time.monotonic()
    for load in loads:
        _executions_ended(load, books)
        _imports_add_up(load, books)
    eventually(lambda: not _unsent(platform), seconds=_PATIENCE)
    drained = round(time.monotonic() - began)
    for load in loads:
        _resources_are_there_once(load, books)
        _invoices_add_up(load, books)
        _trail_verifies(load, books)
        assert _stored_events(platform, load.workspace) == books.events[load.workspace]
    if keys_are_kept:
        _replays_say_the_same(books)
    return {
        "requests": books.requests,
        "retries": books.retries,
        "resources": sum(len(ids) for kinds in books.ids.values() for ids in kinds.values()),
        "telemetry events": books.events.total(),
        "imports": sum(map(len, books.imports.values())),
        "seconds until all was through": drained,
    }


def _every(load: Load, path: str) -> Iterator[dict[str, Any]]:
    offset = 0
    while True:
        page = load.engineer.get(path, limit=200, offset=offset, sortBy="createdAt", sortOrder="asc")
        yield from page["data"]
        offset += len(page["data"])
        if offset >= page["page"]["total"]:
            return


def _resources_are_there_once(load: Load, books: Books) -> None:
    for kind in ("tickets", "alerts", "invoices", "payments"):
        found = [each["id"] for each in _every(load, f"/{kind}")]
        assert len(found) == len(set(found)), f"{kind} are listed twice"
        known = books.ids[load.workspace][kind]
        assert set(found) == known, (kind, len(found), len(known), sorted(set(found) ^ known)[:5])


def _invoices_add_up(load: Load, books: Books) -> None:
    numbers = []
    for invoice in _every(load, "/invoices"):
        paid = books.paid.get(invoice["id"], Decimal(0))
        if invoice["status"] != "draft":
            numbers.append(int(invoice["number"].rpartition("-")[2]))
            assert Decimal(invoice["total"]) - Decimal(invoice["balance"]) == paid, invoice
    assert sorted(numbers) == list(range(1, len(numbers) + 1)), "numbers have gaps"


def _executions_ended(load: Load, books: Books) -> None:
    def ended() -> bool:
        load.decide()
        left = Counter(each["status"] for each in _every(load, "/workflow-executions") if not each["isFinal"])
        assert not left, f"of the executions of {load.workspace} some have not ended: {dict(left)}"
        return True

    eventually(ended, seconds=_PATIENCE)
    found = list(_every(load, "/workflow-executions"))
    late = [each for each in found if each["status"] not in ("succeeded", "failed")]
    assert not late, f"{len(late)} of {len(found)} executions did not end by themselves: {late[0]}"
    assert {each["id"] for each in found} == books.ids[load.workspace]["executions"]


def _imports_add_up(load: Load, books: Books) -> None:
    made = 0
    for job_id in books.imports[load.workspace]:
        job = eventually(
            lambda: (found := load.engineer.get(f"/jobs/{job_id}"))["isFinal"] and found,  # noqa: B023
            seconds=_PATIENCE,
        )
        assert job
        assert (job["status"], job["rowsDone"], job["rowsFailed"]) == ("succeeded", 700, 7), job
        made += job["rowsCreated"]
    expected = 693 if books.imports[load.workspace] else 0
    assert made == expected
    assert load.engineer.get("/clients", limit=1)["page"]["total"] == expected + 1


def _trail_verifies(load: Load, books: Books) -> None:
    checkpoint = load.engineer.get("/audit-credentials/checkpoint")
    offset, size, tokens = 0, checkpoint["size"], list[str]()
    while offset < size:
        page = load.engineer.get("/audit-credentials", limit=200, offset=offset, sortBy="position", sortOrder="asc")
        tokens += [each["jwt"] for each in page["data"]]
        offset = len(tokens)
    text = json.dumps({"credentials": tokens[:size], "checkpoint": checkpoint["note"]})
    assert verify_trail(text, [checkpoint["issuer"]]).workspace_id == load.workspace
    assert size >= len(books.ids[load.workspace]["executions"]), "an execution has no credential"


def _replays_say_the_same(books: Books) -> None:
    for api, key, path, body, first in books.answered[:: max(1, len(books.answered) // 200)]:
        again = api.post(path, json=body, key=key)
        assert again.content == first, (path, again.text[:300])
        assert again.headers["idempotency-replayed"] == "true"


def _unsent(platform: Platform) -> int:
    return sum(
        count(platform, service, "SELECT count(*) FROM outbox WHERE state <> 'published'")
        for service in _SERVICES_WITH_EVENTS
    )


def _stored_events(platform: Platform, workspace: str) -> int:
    return count(platform, "telemetry", "SELECT count(*) FROM events WHERE workspace_id = $1", workspace)
