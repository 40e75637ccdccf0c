"""Executions go on while all that runs them is killed: each ends, each effect is there once, each end is proved.

`EXECUTIONS=2000 make test ARGS=tests/faults/test_executions.py` for a long run.
"""

import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil

from services.workflow.audit.verify import verify_trail
from tests.platform import Api, Platform, eventually, new_key

COUNT = int(os.environ.get("EXECUTIONS", "150"))

OUTAGE = {
    "subject": "URGENT: mail server down, nobody in the whole company can work",
    "description": "The entire office has no e-mail since this morning. All of us cannot work, this is an emergency.",
    "priority": "low",
}
VICTIMS = ("worker", "agent-runtime", "workflow", "worker", "ops", "kafka", "worker", "agent-runtime", "workflow")


def test_whatever_is_killed_each_execution_ends_once(platform: Platform, api: Api) -> None:
    with platform.api(("data_admin",), workspace=api.workspace) as admin:
        settings = admin.get("/workspace/settings").json()["settings"]
        settings["automation"]["applyAtOnce"] = ["triage.*"]
        assert admin.put("/workspace/settings", json=settings).status_code == 200
    time.sleep(2.5)
    client = api.new_client()["id"]
    tickets = [api.new_ticket(**OUTAGE, clientId=client)["id"] for _ in range(COUNT)]
    done = threading.Event()
    killer = threading.Thread(target=_kill_again_and_again, args=(platform, done))
    killer.start()
    try:
        with ThreadPoolExecutor(3) as pool:
            ids = list(pool.map(lambda number: _execute(api, tickets[number]), range(COUNT)))
    finally:
        done.set()
        killer.join(120)
    executions = [_ended(api, each) for each in ids]

    assert len({each["id"] for each in executions}) == COUNT
    states = {status: sum(each["status"] == status for each in executions) for status in ("succeeded", "failed")}
    print(f"{COUNT} executions: {states}, retries {sum(each['retryCount'] for each in executions)}")
    for each in executions:
        if each["status"] == "failed":
            assert each["failureCode"] in ("worker_lost", "data_unavailable", "proposal_failed"), each
        else:
            assert each["status"] == "succeeded", each
            assert {proposal["state"] for proposal in each["proposals"]} <= {"applied"}
    comments = {ticket: _comments(api, ticket) for ticket in tickets}
    for each, number in zip(executions, range(COUNT), strict=True):
        told = sum(f"(execution {each['id']})" in text for text in comments[tickets[number]])
        applied = [one for one in each["proposals"] if one["state"] == "applied"]
        assert told == len(applied), each
    _prove(api, executions)


def _execute(api: Api, ticket: str) -> str:
    key, body = new_key(), {"input": {"ticketId": ticket}}
    answer = eventually(
        lambda: (tried := api.post("/execute/triage.classify", json=body, key=key)).status_code == 202 and tried,
        seconds=90,
    )
    assert answer
    return str(answer.json()["id"])


def _ended(api: Api, execution: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = api.get(f"/workflow-executions/{execution}").json()
        return found if found.get("isFinal") else None

    found = eventually(look, seconds=180)
    assert found
    return found


def _kill_again_and_again(platform: Platform, done: threading.Event) -> None:
    chance = random.Random(1)
    for victim in (victim for _ in range(1000) for victim in VICTIMS):
        if done.wait(chance.uniform(0.5, 2.0)):
            return
        if victim == "worker":
            _kill_a_worker(platform, chance)
        else:
            platform.kill(victim)
            platform.start(victim)


def _kill_a_worker(platform: Platform, chance: random.Random) -> None:
    workers = psutil.Process(platform.stack.pid("agent-runtime")).children()
    if workers:
        chance.choice(workers).kill()


def _comments(api: Api, ticket: str) -> list[str]:
    texts: list[str] = []
    while True:
        answer = api.get(f"/tickets/{ticket}/comments", params={"limit": 200, "offset": len(texts)}).json()
        texts += [each["body"] for each in answer["data"]]
        if len(texts) >= answer["page"]["total"]:
            return texts


def _prove(api: Api, executions: list[dict[str, Any]]) -> None:
    """Each end has its credential, and the trail is whole."""
    decided = sum(each["decision"] is not None for each in executions)
    query = {"sortBy": "position", "sortOrder": "asc", "limit": 200}

    def trail() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while page := api.get("/audit-credentials", params={**query, "offset": len(found)}).json()["data"]:
            found += page
        return found

    def whole() -> list[dict[str, Any]] | None:
        found = trail()
        return (
            found if sum(each["kind"] != "privileged_action" for each in found) >= len(executions) + decided else None
        )

    found = eventually(whole, seconds=60)
    assert found
    ends = [each["subjectId"] for each in found if each["kind"] == "execution"]
    assert sorted(ends) == sorted(each["id"] for each in executions)
    checkpoint = api.get("/audit-credentials/checkpoint").json()
    exported = {"credentials": [each["jwt"] for each in found[: checkpoint["size"]]], "checkpoint": checkpoint["note"]}
    assert verify_trail(json.dumps(exported), [checkpoint["issuer"]]).credentials == checkpoint["size"]
