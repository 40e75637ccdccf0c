"""How runs end, in worker processes of their own."""

from pathlib import Path
from typing import Any

import pytest

from kit.errors import NotFound, Unavailable
from services.agent_runtime.tests.workspace import STARTED, Start, is_gone, pid_in


async def test_a_run_tells_that_it_started_and_what_came_of_it(start: Start, workspace_of: Any) -> None:
    async with start() as running:
        acme = workspace_of(running)
        execution = await acme.ask("smoke.echo", {"whole": 3, "half": 0.5, "text": "ä", "none": None})
        told = await acme.finished(execution)
        started = await acme.told(STARTED, execution)
    assert told["outcome"] == "succeeded"
    assert told["output"] == {"echo": {"whole": 3, "half": 0.5, "text": "ä", "none": None}}
    assert isinstance(told["output"]["echo"]["whole"], int)
    assert (told["attempt"], told["tries"], told["failureCode"], told["failureDetail"]) == (1, 1, None, None)
    assert [(each["attempt"], each["tries"]) for each in started] == [(1, 1)]
    assert started[0]["startedAt"] == told["startedAt"] <= told["completedAt"]
    assert (await acme.job(execution))["state"] == "done"


async def test_evidence_and_proposals_come_along(start: Start, workspace_of: Any) -> None:
    async with start() as running:
        acme = workspace_of(running)
        proposed = await acme.finished(await acme.ask("trial.propose", {"action": "create_ticket"}))
        slept = await acme.finished(await acme.ask("trial.sleep"))
    assert slept["evidence"] == {"whole": 1, "half": 0.5}
    (proposal,) = proposed["proposals"]
    assert (proposal["action"], proposal["state"]) == ("create_ticket", "proposed")
    assert proposal["parameters"] == {"subject": "Disk is full", "minutes": 30}
    assert proposal["summary"] == "It has been full for a day."


@pytest.mark.parametrize(
    ("reasoner", "given", "code", "said"),
    [
        ("trial.fail", {}, "reasoner_error", "ValueError: the printer is on fire"),
        ("trial.leave", {}, "reasoner_error", "SystemExit: enough of this"),
        ("trial.gather_and_fail", {}, "reasoner_error", "RuntimeError: no idea"),
        ("trial.whole", {"output": {"count": "three"}}, "output_invalid", "$.count: 'three' is not of type 'integer'"),
        ("trial.whole", {"output": {}}, "output_invalid", "$: 'count' is a required property"),
        ("trial.nothing_json", {"what": "nan"}, "output_invalid", "The result is no JSON"),
        ("trial.nothing_json", {"what": "set"}, "output_invalid", "The result is no JSON"),
        ("trial.nothing_json", {"what": "surrogate"}, "output_invalid", "The result is no JSON"),
        ("trial.long", {"length": 900_000}, "output_invalid", "too long"),
        ("trial.long", {"length": 20_000_000}, "output_invalid", "more than"),
        ("trial.propose", {"action": "format_disk"}, "output_invalid", "format_disk, which is no action"),
        ("trial.nobody", {}, "reasoner_unknown", "There is no reasoner trial.nobody."),
        ("trial.hungry", {}, "out_of_memory", "more memory"),
    ],
)
async def test_what_is_wrong_with_a_run_is_told_and_not_tried_again(
    start: Start, workspace_of: Any, reasoner: str, given: dict[str, Any], code: str, said: str
) -> None:
    async with start(workers=1, reader=lambda task: None) as running:
        acme = workspace_of(running)
        execution = await acme.ask(reasoner, given)
        told = await acme.finished(execution)
        # Whoever comes next finds a worker that works.
        assert (await acme.finished(await acme.ask("smoke.echo")))["outcome"] == "succeeded"
    assert (told["outcome"], told["failureCode"], told["tries"]) == ("failed", code, 1)
    assert said in told["failureDetail"]
    assert "Traceback" not in told["failureDetail"]
    assert told["output"] is None
    assert (await acme.job(execution))["state"] == "done"


async def test_output_that_the_database_cannot_hold_is_refused(start: Start, workspace_of: Any) -> None:
    async with start() as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("trial.nul"))
        written = await acme.finished(await acme.ask("smoke.echo", {"text": "\\u0000"}))
    assert (told["failureCode"], told["failureDetail"]) == (
        "output_invalid",
        "The result cannot be told: it holds the character NUL.",
    )
    assert written["output"] == {"echo": {"text": "\\u0000"}}


async def test_what_a_reasoner_prints_and_reads_reaches_nobody(start: Start, workspace_of: Any) -> None:
    async with start(workers=1) as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("trial.chatter"))
        assert told["output"] == {"read": ""}
        assert (await acme.finished(await acme.ask("smoke.echo")))["outcome"] == "succeeded"


async def test_a_worker_knows_nothing_of_the_service(
    start: Start, workspace_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    async with start() as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("trial.environment"))
    # The interpreter itself adds LC_CTYPE.
    assert set(told["output"]["names"]) <= {"PYTHONPATH", "LANG", "LC_CTYPE", "MALLOC_ARENA_MAX"}


async def test_a_worker_is_used_again(start: Start, workspace_of: Any) -> None:
    async with start(workers=1) as running:
        acme = workspace_of(running)
        pids = {(await acme.finished(await acme.ask("trial.sleep")))["output"]["pid"] for _ in range(3)}
        assert pids == set(running.pool.pids)


@pytest.mark.parametrize("reasoner", ["trial.slow", "trial.stuck"])
async def test_one_that_takes_too_long_is_killed(
    start: Start, workspace_of: Any, tmp_path: Path, reasoner: str
) -> None:
    mark = tmp_path / "mark"
    async with start(workers=1) as running:
        acme = workspace_of(running)
        execution = await acme.ask(reasoner, {"seconds": 60, "mark": str(mark)})
        pid = await pid_in(mark)
        told = await acme.finished(execution)
        assert await is_gone(pid)
        assert (await acme.finished(await acme.ask("smoke.echo")))["outcome"] == "succeeded"
    assert (told["outcome"], told["failureCode"]) == ("timed_out", "deadline_exceeded")


async def test_the_deadline_of_an_execution_counts_too(start: Start, workspace_of: Any) -> None:
    async with start(workers=1) as running:
        acme = workspace_of(running)
        running_late = await acme.ask("trial.sleep", {"seconds": 60}, seconds=1.5)
        waiting_late = await acme.ask("smoke.echo", seconds=0.5)
        assert (await acme.finished(running_late))["outcome"] == "timed_out"
        told = await acme.finished(waiting_late)
    assert (told["outcome"], told["failureCode"], told["tries"]) == ("timed_out", "deadline_exceeded", 0)
    assert told["startedAt"] is None


class Ops:
    """Answers, or does not."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.asked = 0

    async def get(self, kind: str, resource_id: str) -> dict[str, Any]:
        self.asked += 1
        raise self._error

    async def list(self, kind: str, *, limit: int = 200, **filters: Any) -> list[dict[str, Any]]:
        raise self._error


async def test_what_cannot_be_read_is_told(start: Start, workspace_of: Any) -> None:
    ops = Ops(NotFound("There is no client 7."))
    async with start(reader=lambda task: ops) as running:
        acme = workspace_of(running)
        told = await acme.finished(await acme.ask("trial.read_client", {"clientId": "7"}))
    assert (told["failureCode"], told["failureDetail"]) == ("data_unavailable", "There is no client 7.")
    assert ops.asked == told["tries"] == 1


async def test_what_cannot_be_reached_is_tried_again(start: Start, workspace_of: Any) -> None:
    ops = Ops(Unavailable("The ops service cannot be reached; try again.", retry_after=1))
    async with start(reader=lambda task: ops) as running:
        acme = workspace_of(running)
        execution = await acme.ask("trial.read_client", {"clientId": "7"})
        told = await acme.finished(execution)
        assert (await acme.job(execution))["state"] == "dead"
    assert (told["outcome"], told["failureCode"]) == ("failed", "data_unavailable")
    assert ops.asked == told["tries"] == 3
