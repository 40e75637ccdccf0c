"""The life of an execution: whatever is told in whatever order, each attempt ends once, and nothing undoes it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Conflict, IllegalTransition
from services.workflow.executions import rules
from services.workflow.executions.rules import FINAL, Report, Row

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DIGEST = "d" * 64
PROPOSALS = ({"action": "create_ticket", "parameters": {}, "summary": "s"},) * 2


def queued(**fields: Any) -> Row:
    row: Row = {"deadline_seconds": 60, **fields}
    rules.queue(row, NOW)
    return row


def report(outcome: str = "succeeded", *, attempt: int = 1, proposals: bool = False, **fields: Any) -> Report:
    return Report(
        attempt=attempt,
        outcome=outcome,
        completed_at=NOW + timedelta(seconds=2),
        proposals=PROPOSALS if proposals else (),
        proposals_digest=DIGEST if proposals else None,
        **fields,
    )


# What may happen to an execution: names of steps with the attempt they are about.
ATTEMPTS = st.integers(1, 3)
STEPS = st.one_of(
    st.tuples(st.just("start"), ATTEMPTS, st.integers(1, 3)),
    st.tuples(st.just("finish"), ATTEMPTS, st.sampled_from(["succeeded", "failed", "cancelled", "timed_out"])),
    st.tuples(st.just("propose"), ATTEMPTS, st.booleans()),
    st.tuples(st.just("cancel"), st.none(), st.none()),
    st.tuples(st.just("retry"), st.none(), st.none()),
    st.tuples(st.just("time out"), st.none(), st.sampled_from([0, 61])),
    st.tuples(st.just("decide"), st.none(), st.sampled_from(["approved", "rejected"])),
    st.tuples(st.just("apply"), st.integers(0, 1), st.none()),
    st.tuples(st.just("fail proposal"), st.integers(0, 1), st.none()),
)


def take(row: Row, step: tuple[str, Any, Any]) -> bool:
    """Do a step; whether the row changed."""
    name, which, detail = step
    try:
        match name:
            case "start":
                return rules.start(row, attempt=which, tries=detail, at=NOW)
            case "finish":
                return rules.finish(row, report(detail, attempt=which), NOW, apply_at_once=False)
            case "propose":
                return rules.finish(row, report(attempt=which, proposals=True), NOW, apply_at_once=detail)
            case "cancel":
                rules.cancel(row, NOW, None)
            case "retry":
                rules.retry(row, NOW)
            case "time out":
                return rules.time_out(row, NOW + timedelta(seconds=detail))
            case "decide":
                rules.decide(row, detail, DIGEST, by="ada", reason=None, now=NOW)
            case "apply":
                return bool(row["proposals"]) and rules.apply_proposal(row, which, "r", NOW)
            case "fail proposal":
                return bool(row["proposals"]) and rules.fail_proposal(row, which, "no", None, NOW)
    except IllegalTransition:
        return False
    return True


@given(st.lists(STEPS, max_size=40))
def test_each_attempt_ends_once_and_stays_as_it_ended(steps: list[tuple[str, Any, Any]]) -> None:
    row = queued()
    ends: dict[int, str] = {}
    for step in steps:
        before = dict(row)
        changed = take(row, step)
        if not changed:
            assert row == before
            continue
        if step[0] in ("start", "finish", "propose"):
            # What is told of another attempt changes nothing.
            assert (step[1], row["attempt"]) == (before["attempt"], before["attempt"])
        if before["status"] in FINAL:
            # Only a retry leads out of an end, into another attempt.
            assert (step[0], row["status"], row["attempt"]) == ("retry", "queued", before["attempt"] + 1)
        if row["status"] in FINAL:
            assert row["attempt"] not in ends
            ends[row["attempt"]] = row["status"]
            assert row["completed_at"] is not None
            assert (row["times_out_at"], row["applies_at"]) == (None, None)
            assert (row["failure_code"] is None) == (row["status"] == "succeeded")
        assert (row["times_out_at"] is not None) == (row["status"] in ("queued", "running") and not row["decision"])
        assert (row["applies_at"] is not None) == (row["status"] == "running" and bool(row["decision"]))
        assert row["retry_count"] >= row["attempt"] - 1
    assert set(ends) == set(range(1, row["attempt"] + (row["status"] in FINAL)))


@given(st.permutations([("start", 1, 1), ("start", 1, 2), ("finish", 1, "succeeded"), ("start", 1, 2)]))
def test_the_order_of_reports_does_not_matter_to_the_end(steps: list[tuple[str, Any, Any]]) -> None:
    row = queued()
    for step in steps:
        take(row, step)
    assert row["status"] == "succeeded"


def test_tries_of_the_runtime_and_of_callers_are_retries() -> None:
    row = queued()
    rules.start(row, attempt=1, tries=1, at=NOW)
    assert row["retry_count"] == 0
    rules.start(row, attempt=1, tries=2, at=NOW + timedelta(seconds=1))
    assert (row["retry_count"], row["started_at"]) == (1, NOW + timedelta(seconds=1))
    rules.finish(row, report("failed", tries=3), NOW, apply_at_once=False)
    assert (row["retry_count"], row["duration_ms"], row["failure_code"]) == (2, 1000, "reasoner_error")
    rules.retry(row, NOW)
    assert (row["retry_count"], row["tries"], row["deadline_at"]) == (3, 0, NOW + timedelta(seconds=60))


def test_a_decision_is_about_the_proposals_that_were_looked_at() -> None:
    row = queued()
    rules.finish(row, report(proposals=True), NOW, apply_at_once=False)
    with pytest.raises(Conflict) as problem:
        rules.decide(row, "approved", "e" * 64, by="ada", reason=None, now=NOW)
    assert problem.value.code == "proposals-changed"


def test_the_last_proposal_that_is_done_ends_it() -> None:
    row = queued()
    rules.finish(row, report(proposals=True), NOW, apply_at_once=True)
    assert (row["status"], row["decision"]["decided_by"], rules.next_proposal(row)) == ("running", "policy", 0)
    assert rules.apply_proposal(row, 0, "r-1", NOW)
    assert not rules.apply_proposal(row, 0, "r-2", NOW)
    assert (row["status"], rules.next_proposal(row)) == ("running", 1)
    with pytest.raises(IllegalTransition):
        rules.cancel(row, NOW, None)
    assert rules.apply_proposal(row, 1, "r-2", NOW)
    assert (row["status"], [each["resource_id"] for each in row["proposals"]]) == ("succeeded", ["r-1", "r-2"])


def proposal(subject: str) -> dict[str, Any]:
    return {"action": "create_ticket", "parameters": {"subject": subject}, "summary": "s"}


def proposed(row: Row, *subjects: str, at_once: bool = False) -> list[tuple[str, str, str | None]]:
    """Subject, state and resource of each proposal, once the attempt has proposed these."""
    made = replace(
        report(attempt=row["attempt"], proposals=bool(subjects)), proposals=[proposal(each) for each in subjects]
    )
    assert rules.finish(row, made, NOW, apply_at_once=at_once)
    return [(each["parameters"]["subject"], each["state"], each.get("resource_id")) for each in row["proposals"]]


def test_what_an_attempt_has_done_is_not_done_again() -> None:
    row = queued()
    proposed(row, "one", "two", "three", at_once=True)
    rules.apply_proposal(row, 0, "r-1", NOW)
    # Of the second one the ticket is there, and what was to be linked to it is not.
    rules.fail_proposal(row, 1, "no such alert", "r-2", NOW)
    rules.retry(row, NOW)
    assert [each["resource_id"] for each in row["proposals"]] == ["r-1", "r-2"]
    # What the policy would let pass waits for somebody who sees what is done already.
    found = proposed(row, "two", "another", at_once=True)
    assert found == [("two", "proposed", "r-2"), ("another", "proposed", None), ("one", "applied", "r-1")]
    assert (row["status"], row["decision"]) == ("approval_required", None)
    rules.decide(row, "rejected", DIGEST, by="ada", reason=None, now=NOW)
    assert [each["state"] for each in row["proposals"]] == ["rejected", "rejected", "applied"]


def test_what_was_begun_and_is_not_proposed_again_is_not_done() -> None:
    row = queued()
    proposed(row, "one", "two", at_once=True)
    rules.apply_proposal(row, 0, "r-1", NOW)
    rules.fail_proposal(row, 1, "no such alert", "r-2", NOW)
    rules.retry(row, NOW)
    proposed(row, "two")
    rules.cancel(row, NOW, None)
    rules.retry(row, NOW)
    assert proposed(row, "another") == [
        ("another", "proposed", None),
        ("two", "failed", "r-2"),
        ("one", "applied", "r-1"),
    ]
    rules.cancel(row, NOW, None)
    rules.retry(row, NOW)
    proposed(row)
    assert row["status"] == "succeeded"


def test_nothing_is_left_to_be_decided_when_all_of_it_was_done_before() -> None:
    row = queued()
    proposed(row, "one", "two", at_once=True)
    rules.apply_proposal(row, 0, "r-1", NOW)
    rules.fail_proposal(row, 1, "no such client", None, NOW)
    rules.retry(row, NOW)
    assert proposed(row, "one") == [("one", "applied", "r-1")]
    assert row["status"] == "succeeded"


def test_of_two_alike_each_is_done_once() -> None:
    row = queued()
    proposed(row, "one", "one", at_once=True)
    rules.apply_proposal(row, 0, "r-1", NOW)
    rules.fail_proposal(row, 1, "no", None, NOW)
    rules.retry(row, NOW)
    assert proposed(row, "one", "one") == [("one", "applied", "r-1"), ("one", "proposed", None)]


@pytest.mark.parametrize(
    ("asked", "timeout", "tries", "seconds"),
    [(5, 60, 3, 5), (None, 60, 3, 480), (None, 0, 0, 301), (None, 86_400, 3, 86_400)],
)
def test_deadlines(asked: int | None, timeout: int, tries: int, seconds: int) -> None:
    assert rules.deadline(asked, timeout, tries) == seconds
