"""What an SLA policy may say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kit.errors import Invalid
from services.ops.service_desk.sla_policies.rules import judge, open_minutes

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MONDAY = {"day": "monday", "opens": "09:00", "closes": "17:00"}


def policy(**fields: Any) -> dict[str, Any]:
    calendar = {"time_zone": "UTC", "windows": [MONDAY], "holidays": [], "always_open": False}
    row = {
        "calendar": calendar,
        "targets": [],
        "pause_states": [],
        "never_pauses": False,
        "is_default": False,
        "client_id": None,
        **fields,
    }
    judge(None, row, NOW)
    return row


def calendar(*windows: tuple[str, str, str], holidays: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    return {
        "time_zone": "UTC",
        "windows": [{"day": day, "opens": opens, "closes": closes} for day, opens, closes in windows],
        "holidays": [{"date": day} for day in holidays],
        **fields,
    }


def paths(**fields: Any) -> list[str]:
    """Where a policy is refused."""
    with pytest.raises(Invalid) as refused:
        policy(**fields)
    return [error.path for error in refused.value.errors]


def test_it_pauses_while_it_waits_for_others_unless_said_otherwise() -> None:
    assert policy()["pause_states"] == ["waiting_on_client", "waiting_on_vendor"]
    assert policy(pause_states=["waiting_on_client"])["pause_states"] == ["waiting_on_client"]
    assert policy(pause_states=["waiting_on_client"], never_pauses=True)["pause_states"] == []


def test_a_day_may_have_any_number_of_windows_that_touch() -> None:
    hours = [("monday", "13:00", "17:00"), ("monday", "09:00", "12:00"), ("monday", "12:00", "13:00")]
    week = policy(calendar=calendar(*hours, ("sunday", "00:00", "24:00")))["calendar"]
    assert open_minutes(week) == 8 * 60 + 24 * 60


@pytest.mark.parametrize(
    ("windows", "path"),
    [
        ([], "calendar.windows"),
        ([("monday", "09:00", "09:00")], "calendar.windows[0].closes"),
        ([("monday", "17:00", "09:00")], "calendar.windows[0].closes"),
        ([("monday", "17:00", "00:00")], "calendar.windows[0].closes"),
        ([("monday", "09:00", "24:01")], "calendar.windows[0].closes"),
        ([("monday", "09:00", "9:000")], "calendar.windows[0].closes"),
        ([("friday", "09:00", "12:00"), ("monday", "09:00", "25:00")], "calendar.windows[1].closes"),
        ([("monday", "09:00", "12:00"), ("monday", "11:59", "13:00")], "calendar.windows[1]"),
        ([("monday", "09:00", "17:00"), ("monday", "10:00", "11:00")], "calendar.windows[1]"),
    ],
)
def test_hours_that_make_no_sense_are_refused_at_their_place(windows: list[tuple[str, str, str]], path: str) -> None:
    assert paths(calendar=calendar(*windows)) == [path]


def test_the_same_hours_on_another_day_do_not_overlap() -> None:
    policy(calendar=calendar(("monday", "09:00", "17:00"), ("tuesday", "09:00", "17:00")))


def test_what_is_always_open_needs_no_windows() -> None:
    assert open_minutes(policy(calendar=calendar(always_open=True))["calendar"]) == 10080


def test_a_holiday_is_named_once() -> None:
    twice = calendar(("monday", "09:00", "17:00"), holidays=("2026-12-25", "2026-12-25"))
    assert paths(calendar=twice) == ["calendar.holidays[1].date"]


@pytest.mark.parametrize("state", ["resolved", "closed"])
def test_the_clock_of_what_is_done_stands_still_anyway(state: str) -> None:
    assert paths(pause_states=["waiting_on_client", state]) == ["pauseStates[1]"]


def test_a_pause_is_named_once() -> None:
    assert paths(pause_states=["open", "open"]) == ["pauseStates[1]"]


@pytest.mark.parametrize(
    ("targets", "path"),
    [
        ([{"priority": "low", "resolution_minutes": 60}] * 2, "targets[1].priority"),
        ([{"priority": "low"}], "targets[0]"),
        (
            [{"priority": "low", "first_response_minutes": 61, "resolution_minutes": 60}],
            "targets[0].firstResponseMinutes",
        ),
        ([{"priority": "low", "resolution_minutes": 52 * 480 + 1}], "targets[0].resolutionMinutes"),
    ],
)
def test_targets_that_make_no_sense_are_refused_at_their_place(targets: list[dict[str, Any]], path: str) -> None:
    assert paths(targets=targets) == [path]


def test_a_target_may_last_for_a_years_business_hours() -> None:
    policy(targets=[{"priority": "low", "first_response_minutes": 60, "resolution_minutes": 52 * 480}])


def test_everything_wrong_is_told_at_once() -> None:
    wrong = calendar(("monday", "09:00", "09:00"), holidays=("2026-12-25", "2026-12-25"))
    assert paths(calendar=wrong, pause_states=["closed"]) == [
        "calendar.windows[0].closes",
        "calendar.holidays[1].date",
        "pauseStates[0]",
    ]


def test_the_default_is_not_one_clients() -> None:
    assert paths(is_default=True, client_id="c") == ["isDefault"]
    assert policy(is_default=True)["is_default"]
    assert policy(client_id="c")["client_id"] == "c"
