"""Executions at an agent of AgentField's SDK, while the agent and the runtime are killed in turns: each ends, once,
with its result or its reason.

`ROUNDS=50 make test ARGS=tests/faults/test_remote_agents.py` for a long run.
"""

import os
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.platform import Api, Platform, eventually
from tests.remote_agents import AgentProcess, agent, execute, output, wait_until_reachable

ROUNDS = int(os.environ.get("ROUNDS", "4"))
SECONDS = 240.0


def test_whatever_is_killed_each_execution_ends_once(platform: Platform, api: Api, tmp_path: Path) -> None:
    with agent(api, platform.stack.base_url, tmp_path) as process:
        killer = threading.Thread(target=_kill_in_turns, args=(platform, api, process))
        killer.start()
        ids: list[str] = []
        while killer.is_alive():
            ids.append(_execute(api, len(ids)))
            time.sleep(0.3)
        killer.join()
        wait_until_reachable(api, process)
        ends = [_ended(api, each) for each in ids]
    states = Counter(each["status"] for each in ends)
    begun = process.marks("work")
    print(f"{len(ids)} executions: {dict(states)}; {begun} runs were begun for {len(ids[::2])}")
    assert len({each["id"] for each in ends}) == len(ids)
    for number, each in enumerate(ends):
        if each["status"] == "succeeded":
            assert output(api, each) == ({"double": number * 2} if number % 2 else {"done": f"run-{number}"})
        else:
            # After its last try.
            assert each["failureCode"] in ("worker_lost", "engine_unreachable"), each
            assert "inventory" in each["failureDetail"] or each["failureCode"] == "worker_lost", each
    # What cannot be otherwise: something was lost while it ran, and most of it came through.
    assert begun > len(ids[::2])
    assert states["succeeded"] > len(ids) / 2
    assert {_told(api, ids)[each] for each in ids} == {1}


def _execute(api: Api, number: int) -> str:
    def asked() -> str:
        if number % 2:
            return execute(api, "inventory.double", {"number": number})
        return execute(api, "inventory.work", {"what": f"run-{number}", "seconds": 1.0})

    # While the runtime is away nothing can be asked for; what is refused has begun nothing.
    return eventually(asked, seconds=SECONDS)


def _ended(api: Api, execution: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = api.get(f"/workflow-executions/{execution}").json()
        return found if found["isFinal"] else None

    found = eventually(look, seconds=SECONDS)
    assert found
    return found


def _told(api: Api, ids: list[str]) -> Counter[str]:
    """How often the end of each execution stands in the audit trail, once that of all does."""

    def look() -> Counter[str] | None:
        found: Counter[str] = Counter()
        query = {"limit": 200, "sortOrder": "asc"}
        while page := api.get("/audit-credentials", params={**query, "offset": found.total()}).json()["data"]:
            found.update(one["subjectId"] if one["kind"] == "execution" else one["kind"] for one in page)
        return found if all(found[each] for each in ids) else None

    found = eventually(look, seconds=60)
    assert found
    return found


def _kill_in_turns(platform: Platform, api: Api, process: AgentProcess) -> None:
    chance = random.Random(1)
    for _ in range(ROUNDS):
        before = process.marks("work")
        eventually(lambda before=before: process.marks("work") > before, seconds=SECONDS)  # type: ignore[misc]
        process.kill()
        process.start()
        wait_until_reachable(api, process)
        time.sleep(chance.uniform(0.3, 1.5))
        platform.kill("agent-runtime")
        platform.start("agent-runtime")
