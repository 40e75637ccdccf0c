"""Who is served next."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.agent_runtime.jobs.rules import Running, Waiting, choose, pause_before_next_try

START = datetime(2026, 3, 2, tzinfo=UTC)


def waits(workspace: str, second: int, agent: str = "triage") -> Waiting:
    return Waiting(workspace, f"{workspace}-{agent}-{second}", agent, START + timedelta(seconds=second))


def names(jobs: list[Waiting]) -> list[str]:
    return [f"{job.workspace_id}{(job.created_at - START).seconds}" for job in jobs]


def begun(
    waiting: list[Waiting],
    running: list[Running],
    *,
    free: int,
    most_per_agent: int = 9,
    last_served: Mapping[str, int] | None = None,
) -> list[Waiting]:
    """Of one engine that runs all agents."""
    return choose(
        waiting,
        running,
        free={"builtin": free},
        engine_of=lambda agent: "builtin",
        whose=lambda workspace, agent: agent,
        most_per_agent=most_per_agent,
        last_served=last_served or {},
    )


def test_the_oldest_of_a_workspace_comes_first() -> None:
    chosen = begun([waits("a", 3), waits("a", 1), waits("a", 2)], [], free=2)
    assert names(chosen) == ["a1", "a2"]


def test_workspaces_take_turns() -> None:
    waiting = [*(waits("a", second) for second in range(5)), waits("b", 100), waits("b", 101)]
    assert names(begun(waiting, [], free=5)) == ["a0", "b100", "a1", "b101", "a2"]


def test_whoever_has_the_least_running_comes_first() -> None:
    chosen = begun([waits("a", 1), waits("b", 2)], [Running("a", "triage", 1)], free=1)
    assert names(chosen) == ["b2"]


def test_among_equals_the_one_that_was_served_longest_ago() -> None:
    waiting = [waits("a", 1), waits("b", 2)]
    assert names(begun(waiting, [], free=1, last_served={"a": 7, "b": 3})) == ["b2"]
    assert names(begun(waiting, [], free=1, last_served={"a": 7})) == ["b2"]
    assert names(begun(waiting, [], free=1, last_served={"a": 3, "b": 7})) == ["a1"]


def test_an_agent_at_its_limit_holds_up_no_other() -> None:
    waiting = [waits("a", 1), waits("a", 2), waits("a", 3, "billing")]
    running = [Running("b", "triage", 1)]
    assert names(begun(waiting, running, free=3, most_per_agent=2)) == ["a1", "a3"]


def test_an_engine_that_is_full_holds_up_no_other() -> None:
    waiting = [waits("a", 1), waits("a", 2), waits("a", 3, "remote"), waits("a", 4, "remote")]
    engines = {"triage": "builtin", "remote": "nodes"}
    chosen = choose(
        waiting,
        [],
        free={"builtin": 0, "nodes": 1},
        engine_of=engines.__getitem__,
        whose=lambda workspace, agent: agent,
        most_per_agent=9,
        last_served={},
    )
    assert names(chosen) == ["a3"]


def test_agents_of_a_workspace_are_counted_there() -> None:
    waiting = [waits("a", 1), waits("a", 2), waits("b", 3)]
    chosen = choose(
        waiting,
        [Running("a", "triage", 1)],
        free={"remote": 9},
        engine_of=lambda agent: "remote",
        whose=lambda workspace, agent: (workspace, agent),
        most_per_agent=1,
        last_served={},
    )
    assert names(chosen) == ["b3"]


JOBS = st.lists(
    st.builds(waits, st.sampled_from("abc"), st.integers(0, 50), st.sampled_from(["triage", "billing"])),
    unique_by=lambda job: job.id,
    max_size=15,
)
RUNNING = st.lists(
    st.builds(Running, st.sampled_from("abc"), st.sampled_from(["triage", "billing"]), st.integers(1, 3)),
    unique_by=lambda each: (each.workspace_id, each.agent),
)


@given(JOBS, RUNNING, st.integers(0, 6), st.integers(1, 5))
def test_as_many_as_may_be_and_no_more(
    waiting: list[Waiting], running: list[Running], free: int, most_per_agent: int
) -> None:
    chosen = begun(waiting, running, free=free, most_per_agent=most_per_agent)
    assert len({job.id for job in chosen}) == len(chosen) <= free
    before, after = Counter[str](), Counter[str]()
    for each in running:
        before[each.agent] += each.count
    after = before + Counter(job.agent for job in chosen)
    assert all(after[agent] <= max(most_per_agent, before[agent]) for agent in after)
    if len(chosen) < free:
        left = [job for job in waiting if job not in chosen]
        assert all(after[job.agent] >= most_per_agent for job in left)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_grow_to_a_minute(tries: int, chance: float) -> None:
    pause = pause_before_next_try(tries, chance)
    assert timedelta(seconds=0.5) <= pause <= timedelta(minutes=1)
    assert pause_before_next_try(tries + 1, chance) >= pause
