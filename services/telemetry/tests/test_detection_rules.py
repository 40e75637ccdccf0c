"""When a condition begins, is raised, and is over."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.telemetry.detection.rules import (
    GONE_AFTER,
    MOST_CONDITIONS,
    Change,
    CheckOutcome,
    Condition,
    Sample,
    after_outcome,
    after_sample,
    changes,
    wrong_series,
)
from services.telemetry.edge_policies.merge import Check, Threshold
from services.telemetry.tests.fleet import NOW

DISK = Threshold("disk", "disk.used", None, True, 90, 80, timedelta(0), "high")
FREE = Threshold("free", "disk.free", None, False, 10, 20, timedelta(0), "high")
CPU = Threshold("cpu", "cpu.used", None, True, 95, 85, timedelta(minutes=5), "warning")
EVERY = timedelta(minutes=5)
WEB = Check("web", "http", "https://example.com", timedelta(minutes=1), timedelta(seconds=5), 2, "high")


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def used(value: float, minutes: float = 0, instance: str = "/") -> Sample:
    return Sample("disk.used", instance, value, at(minutes))


def made(status: str, minutes: float = 0, name: str = "web", instance: str = "") -> CheckOutcome:
    return CheckOutcome(name, instance, status, "it is so", at(minutes))


def run(rule: Threshold, values: Sequence[float], step: float = 1) -> list[Condition | None]:
    """The condition after each value, one a step (in minutes), each looked at when it is measured."""
    condition, found = None, []
    for place, value in enumerate(values):
        sample = Sample(rule.metric, "", value, at(place * step))
        condition = after_sample(condition, rule, sample, sample.at, EVERY)
        found.append(condition)
    return found


def states(conditions: Sequence[Condition | None]) -> str:
    """`.` none, `p` pending, `R` raised."""
    return "".join("." if each is None else "R" if each.is_raised else "p" for each in conditions)


class Series:
    """An agent whose batches are looked at one after the other."""

    def __init__(self, *rules: Threshold, checks: Sequence[Check] = ()) -> None:
        self.by_metric: dict[str, tuple[Threshold, ...]] = {}
        for rule in rules:
            self.by_metric[rule.metric] = (*self.by_metric.get(rule.metric, ()), rule)
        self.checks = {each.name: each for each in checks}
        self.conditions: dict[Any, Condition] = {}
        self.heard: datetime | None = None

    def batch(self, *seen: Sample | CheckOutcome, now: datetime = NOW) -> list[Change]:
        samples = [each for each in seen if isinstance(each, Sample)]
        outcomes = [each for each in seen if isinstance(each, CheckOutcome)]
        wrong = wrong_series(self.by_metric, self.checks, samples, outcomes, now)
        known = list(self.conditions.values())
        found = changes(
            known,
            wrong,
            self.by_metric,
            self.checks,
            samples,
            outcomes,
            now,
            every=EVERY,
            heard_before=self.heard,
        )
        self.heard = now
        for each in found:
            if each.before:
                del self.conditions[each.before.series]
            if each.after:
                self.conditions[each.after.series] = each.after
        return found

    @property
    def states(self) -> dict[str, str]:
        return {each.instance: states([each]) for each in self.conditions.values()}


def told(found: Sequence[Change]) -> str:
    """`+` raised, `-` cleared."""
    return "".join("+" if each.is_raised else "-" if each.is_cleared else "" for each in found)


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        (DISK, [90, 91, 89, 81, 80.1, 80], ".RRRR."),
        (DISK, [91, 80, 90, 91], "R..R"),
        (DISK, [91, 85, 91, 85, 91], "RRRRR"),
        (FREE, [10, 9, 15, 19.9, 20, 15, 9], ".RRR..R"),
        (CPU, [96, 96, 96, 96, 96, 96, 90, 85], "pppppRR."),
        (CPU, [96, 96, 96, 95, 96, 96], "ppp.pp"),
        # Between the limits a raised one goes on, but a pending one does not.
        (CPU, [96, 96, 96, 90, 96], "ppp.p"),
    ],
)
def test_thresholds(rule: Threshold, values: list[float], expected: str) -> None:
    assert states(run(rule, values)) == expected


def test_it_knows_since_when_and_how_bad_it_is_now() -> None:
    condition = run(CPU, [96, 97, 98, 99, 96, 97, 88])[-1]
    assert condition is not None
    assert (condition.since, condition.raised_at, condition.last_at) == (at(0), at(5), at(6))
    assert (condition.value, condition.failures, condition.severity) == (88, 7, "warning")


values = st.lists(st.floats(0, 100), max_size=60)


@given(values)
def test_what_was_raised_and_cleared_alternates(measured: list[float]) -> None:
    raised = [each is not None and each.is_raised for each in run(DISK, measured)]
    changed = [now for before, now in zip([False, *raised], raised, strict=False) if before != now]
    assert changed == [place % 2 == 0 for place in range(len(changed))]


@given(values)
def test_it_is_raised_above_and_over_below_its_limits_and_nowhere_else(measured: list[float]) -> None:
    raised = [each is not None and each.is_raised for each in run(DISK, measured)]
    for before, now, value in zip([False, *raised], raised, measured, strict=False):
        if not before:
            assert now == (value > 90)
        else:
            assert now == (value > 80)


@given(values, st.sampled_from([DISK, FREE, CPU]), st.booleans())
def test_what_only_rises_or_only_falls_changes_once(measured: list[float], rule: Threshold, rises: bool) -> None:
    raised = [each is not None and each.is_raised for each in run(rule, sorted(measured, reverse=not rises))]
    assert sum(before != now for before, now in zip([False, *raised], raised, strict=False)) <= 1 + (
        rises != rule.is_above
    )


@given(values)
def test_above_is_the_mirror_of_below(measured: list[float]) -> None:
    mirrored = Threshold("free", "disk.free", None, False, -90, -80, timedelta(0), "high")
    assert states(run(DISK, measured)) == states(run(mirrored, [-each for each in measured]))


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(-20, 0)), max_size=40, unique_by=lambda each: each[1]))
def test_the_order_in_which_a_batch_is_sent_does_not_matter(measured: list[tuple[float, int]]) -> None:
    sent, sorted_ = Series(DISK), Series(DISK)
    sent.batch(*(used(value, minutes) for value, minutes in measured))
    sorted_.batch(*(used(value, minutes) for value, minutes in sorted(measured, key=lambda each: each[1])))
    assert sent.conditions == sorted_.conditions


@given(st.lists(st.lists(st.floats(0, 100), min_size=1, max_size=5), max_size=12))
def test_what_is_told_alternates_whatever_the_batches(batches: list[list[float]]) -> None:
    series, said, minutes = Series(DISK), "", 0
    for batch in batches:
        samples = [used(value, minutes + place) for place, value in enumerate(batch)]
        minutes += len(batch)
        said += told(series.batch(*samples, now=at(minutes)))
        assert series.states.get("/", ".") == ("R" if said.endswith("+") else ".")
    assert "++" not in said
    assert "--" not in said
    assert not said.startswith("-")


def test_each_instance_is_looked_at_by_itself() -> None:
    series = Series(DISK)
    assert told(series.batch(used(95, instance="/"), used(95, instance="/data"), used(50, instance="/tmp"))) == "++"
    assert told(series.batch(used(50, 1, "/"), used(95, 1, "/data"), used(50, 1, "/tmp"))) == "-"
    assert series.states == {"/data": "R"}


def test_a_threshold_for_one_instance_looks_at_no_other() -> None:
    series = Series(Threshold("root", "disk.used", "/", True, 90, 80, timedelta(0), "high"))
    series.batch(used(95, instance="/data"), used(95, instance=""))
    assert series.states == {}
    series.batch(used(95, instance="/"))
    assert series.states == {"/": "R"}
    series.batch(used(10, 1, instance="/data"))
    assert series.states == {"/": "R"}


def test_two_thresholds_on_a_metric_are_two_conditions() -> None:
    series = Series(DISK, Threshold("full", "disk.used", None, True, 99, 98, timedelta(0), "critical"))
    assert told(series.batch(used(95))) == "+"
    assert told(series.batch(used(100, 1))) == "+"
    assert told(series.batch(used(95, 2))) == "-"


def test_what_is_raised_and_over_in_one_batch_is_told_to_nobody() -> None:
    series = Series(DISK)
    assert told(series.batch(used(95), used(50, 1))) == ""
    series.batch(used(95, 2))
    assert told(series.batch(used(50, 3), used(95, 4))) == ""
    assert series.states == {"/": "R"}


def test_it_was_over_when_it_was_over() -> None:
    series = Series(CPU)
    for minutes in range(7):
        series.batch(Sample("cpu.used", "", 99, at(minutes)), now=at(minutes))
    later = [Sample("cpu.used", "", value, at(minutes)) for minutes, value in ((7, 50.0), (8, 40.0), (9, 99.0))]
    [change] = series.batch(*later, now=at(9))
    assert (change.is_cleared, change.over_at) == (True, at(7))
    assert series.states == {"": "p"}


def test_what_is_old_raises_nothing() -> None:
    series = Series(DISK, checks=[WEB])
    series.batch(used(95, -10.1), made("critical", -10.2), made("critical", -10.1))
    assert series.states == {}
    assert told(series.batch(used(95, -9.9))) == "+"


def test_what_went_on_while_the_agent_was_cut_off_is_raised_by_what_is_new() -> None:
    series = Series(CPU)
    series.batch(Sample("cpu.used", "", 99, at(0)), now=at(0))
    cut_off = [Sample("cpu.used", "", 99, at(minutes)) for minutes in range(1, 41)]
    series.batch(*cut_off[:20], now=at(40))
    assert series.states == {"": "p"}
    assert told(series.batch(*cut_off[20:], now=at(40))) == "+"


def test_what_is_old_clears() -> None:
    series = Series(DISK)
    series.batch(used(95))
    assert told(series.batch(used(50, 5), now=at(60))) == "-"


def test_what_is_older_than_the_last_says_nothing() -> None:
    series = Series(DISK)
    series.batch(used(95, 5), now=at(5))
    assert series.batch(used(50, 4), used(50, 5), now=at(6)) == []
    assert series.states == {"/": "R"}


def test_a_condition_without_its_rule_is_over() -> None:
    series = Series(DISK, checks=[WEB])
    series.batch(used(95), made("critical"), made("critical", 1))
    assert sorted(series.states.values()) == ["R", "R"]
    series.by_metric, series.checks = {}, {}
    assert told(series.batch(now=at(1))) == "--"
    assert series.states == {}


@pytest.mark.parametrize(
    "other",
    [
        Threshold("disk", "disk.inodes", None, True, 90, 80, timedelta(0), "high"),
        Threshold("disk", "disk.used", "/data", True, 90, 80, timedelta(0), "high"),
    ],
    ids=["metric", "instance"],
)
def test_a_condition_whose_rule_is_about_something_else_now_is_over(other: Threshold) -> None:
    series = Series(DISK)
    series.batch(used(95))
    series.by_metric = {other.metric: (other,)}
    assert told(series.batch(used(95, 1), now=at(1))) == "-"
    assert series.states == {}


def test_another_limit_holds_from_the_next_value_on() -> None:
    series = Series(DISK)
    series.batch(used(91))
    series.by_metric = {"disk.used": (Threshold("disk", "disk.used", None, True, 95, 92, timedelta(0), "high"),)}
    assert series.batch(now=at(0.5)) == []
    assert told(series.batch(used(91, 1), now=at(1))) == "-"


def test_what_becomes_worse_is_told_again() -> None:
    series = Series(DISK)
    series.batch(used(91))
    for severity, expected in (("warning", ""), ("critical", "+"), ("high", ""), ("critical", "")):
        worse = Threshold("disk", "disk.used", None, True, 90, 80, timedelta(0), severity)
        series.by_metric = {"disk.used": (worse,)}
        [condition] = series.conditions.values()
        later = condition.last_at + timedelta(minutes=1)
        assert told(series.batch(Sample("disk.used", "/", 91, later), now=later)) == expected


def outcomes(*statuses: str, rule: Check = WEB) -> list[Condition | None]:
    condition, found = None, []
    for minutes, status in enumerate(statuses):
        condition = after_outcome(condition, rule, made(status, minutes), at(minutes))
        found.append(condition)
    return found


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ("critical ok critical ok", "p.p."),
        ("critical critical critical ok", "pRR."),
        ("warning unknown ok", "pR."),
        ("unknown unknown critical", "pRR"),
    ],
)
def test_checks(statuses: str, expected: str) -> None:
    assert states(outcomes(*statuses.split())) == expected


@pytest.mark.parametrize(
    ("statuses", "severity", "expected"),
    [
        ("critical critical", "high", "high"),
        ("critical unknown", "high", "warning"),
        ("unknown critical", "high", "high"),
        ("unknown unknown", "info", "info"),
        ("warning warning", "critical", "warning"),
        ("unknown unknown critical", "critical", "critical"),
        ("critical critical unknown", "critical", "critical"),
    ],
)
def test_what_could_not_be_made_out_is_a_warning_at_most(statuses: str, severity: str, expected: str) -> None:
    rule = Check("web", "http", "https://example.com", timedelta(minutes=1), timedelta(seconds=5), 2, severity)
    condition = outcomes(*statuses.split(), rule=rule)[-1]
    assert condition is not None
    assert (condition.is_raised, condition.severity) == (True, expected)


@given(st.lists(st.sampled_from(["ok", "warning", "critical", "unknown"]), max_size=40), st.integers(1, 5))
def test_a_check_is_raised_by_so_many_failures_in_a_row(statuses: list[str], needed: int) -> None:
    rule = Check("web", "tcp", "a:1", timedelta(minutes=1), timedelta(seconds=5), needed, "high")
    in_a_row = 0
    for status, condition in zip(statuses, outcomes(*statuses, rule=rule), strict=True):
        in_a_row = 0 if status == "ok" else in_a_row + 1
        assert (condition is not None and condition.is_raised) == (in_a_row >= needed)


def test_a_check_that_the_policy_lacks_is_left_aside() -> None:
    series = Series(checks=[WEB])
    series.batch(made("critical", 0, "other"), made("critical", 1, "other"))
    assert series.states == {}


def test_what_is_no_longer_there_is_over_after_a_day() -> None:
    series = Series(DISK, checks=[WEB])
    series.batch(used(95), used(95, instance="/stick"))
    later = NOW + GONE_AFTER
    assert told(series.batch(Sample("disk.used", "/", 95, later), now=later)) == ""
    assert series.states == {"/": "R", "/stick": "R"}
    for expected in ("", "-"):
        later += timedelta(minutes=1)
        assert told(series.batch(Sample("disk.used", "/", 95, later), now=later)) == expected
    assert series.states == {"/": "R"}


def test_an_agent_that_was_off_has_not_lost_what_its_first_batch_says_nothing_of() -> None:
    series = Series(DISK, checks=[WEB])
    series.batch(used(50), made("critical"))
    assert told(series.batch(used(50, 1), made("critical", 1), now=at(1))) == "+"
    monday = 3 * 24 * 60
    assert told(series.batch(used(50, monday), now=at(monday))) == ""
    assert told(series.batch(made("critical", monday + 0.5), now=at(monday + 0.5))) == ""
    assert told(series.batch(made("ok", monday + 1), now=at(monday + 1))) == "-"


def test_the_time_in_which_nothing_was_told_does_not_count() -> None:
    series = Series(CPU, checks=[WEB])
    series.batch(Sample("cpu.used", "", 97, NOW), made("critical"))
    monday = 3 * 24 * 60
    first = series.batch(Sample("cpu.used", "", 99, at(monday)), made("critical", monday), now=at(monday))
    assert told(first) == ""
    assert {each.since for each in series.conditions.values()} == {at(monday)}
    later = monday + 5
    again = series.batch(Sample("cpu.used", "", 99, at(later)), made("critical", later), now=at(later))
    assert told(again) == "++"


def test_what_is_measured_seldom_lasts_all_the_same() -> None:
    assert states(run(CPU, [99, 99], step=15)) == "pR"
    assert states(run(CPU, [99, 99], step=16)) == "pp"


def test_an_agent_that_catches_up_has_not_lost_what_it_has_yet_to_tell_of() -> None:
    series = Series(DISK)
    series.batch(used(95), used(95, instance="/data"))
    much_later = NOW + 3 * GONE_AFTER
    assert told(series.batch(used(95, 1), now=much_later)) == ""
    assert series.states == {"/": "R", "/data": "R"}


def test_an_agent_has_so_many_conditions_and_no_more() -> None:
    series = Series(DISK)
    first = [used(95, instance=f"/{each}") for each in range(MOST_CONDITIONS + 50)]
    assert len(series.batch(*first)) == MOST_CONDITIONS
    assert series.batch(used(95, 1, "/another"), now=at(1)) == []
    series.batch(used(10, 1, "/0"), now=at(1))
    assert told(series.batch(used(95, 2, "/another"), now=at(2))) == "+"
