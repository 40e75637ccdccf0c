"""Which events are told, in which words, and when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Invalid
from kit.event_values import TOPICS
from services.integrations.notifications import rules

NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)  # a Monday
DATA = {"alert": {"severity": "high", "title": "Disk full", "description": None, "tags": ["a", "b"], "isOpen": True}}


def rule(**fields: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": "R",
        "topic": "alert.triggered",
        "filter": [],
        "hours": None,
        "title": None,
        "body": None,
    }
    return row | fields


def hours(opens: str, closes: str, *days: str, zone: str = "UTC") -> dict[str, Any]:
    return {"time_zone": zone, "days": list(days), "opens": opens, "closes": closes}


@pytest.mark.parametrize(
    ("path", "any_of", "expected"),
    [
        ("alert.severity", ["high", "critical"], True),
        ("alert.severity", ["low"], False),
        ("alert.isOpen", ["true"], True),
        ("alert.tags.1", ["b"], True),
        ("alert.nothing", ["high"], False),
        ("alert", ["high"], False),
    ],
)
def test_all_conditions_must_hold(path: str, any_of: list[str], expected: bool) -> None:
    condition = {"path": path, "any_of": any_of}
    assert rules.applies(rule(filter=[condition]), DATA, NOW) is expected
    other = {"path": "alert.title", "any_of": ["Something else"]}
    assert not rules.applies(rule(filter=[condition, other]), DATA, NOW)


@pytest.mark.parametrize(
    ("given_hours", "expected"),
    [
        (hours("08:00", "18:00"), True),
        (hours("10:30", "10:31"), True),
        (hours("08:00", "10:30"), False),
        (hours("08:00", "18:00", "tuesday"), False),
        (hours("08:00", "18:00", zone="Asia/Tokyo"), False),  # it is 19:30 there
        (hours("19:00", "20:00", zone="Asia/Tokyo"), True),
        (hours("22:00", "11:00", "sunday"), True),  # since Sunday evening
        (hours("22:00", "11:00", "monday"), False),  # it begins tonight
        (hours("00:00", "00:00"), True),
    ],
)
def test_hours_are_those_of_the_clock_on_the_wall(given_hours: dict[str, Any], expected: bool) -> None:
    assert rules.applies(rule(hours=given_hours), DATA, NOW) is expected


def test_words_come_from_the_event() -> None:
    assert rules.words(rule(), DATA) == ("high: Disk full", "")
    told = rules.words(rule(title="{alert.title} ({alert.none}) {x", body="{alert.tags.0} {alert} {}"), DATA)
    assert told == ("Disk full () {x", "a  {}")
    assert rules.words(rule(title="{alert.none}"), DATA)[0] == "R"


@pytest.mark.parametrize(
    "template", ["{alert.__class__}", "{alert.title.__class__.__mro__}", "{alert.tags.__len__}", "{alert.items}"]
)
def test_a_template_reaches_values_only(template: str) -> None:
    assert rules.words(rule(body=template), DATA)[1] == ""


def test_what_an_event_holds_is_no_template() -> None:
    event = {"alert": {"title": "{alert.secret}", "secret": "x", "severity": "high"}}
    assert rules.words(rule(title="{alert.title}"), event)[0] == "{alert.secret}"


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_the_template_there_is_a_title(title: str, value: str) -> None:
    told, body = rules.words(rule(title=title, body=title), {"alert": {"title": value}})
    assert told
    assert "\0" not in told + body


def test_each_topic_has_words_of_its_own() -> None:
    for topic in TOPICS:
        assert rules.words(rule(topic=topic), {})[0]


def test_what_is_gathered_is_one_message() -> None:
    messages = [{"title": "A", "body": "a", "repeats": 0}, {"title": "B", "body": "", "repeats": 2}]
    assert rules.together(messages[:1]) == ("A", "a")
    assert rules.together(messages) == ("2 messages", "A\na\n\nB\n(and 2 more times)")


def test_pauses_grow_to_half_an_hour() -> None:
    pauses = [rules.pause(attempts) for attempts in range(1, rules.MOST_ATTEMPTS + 1)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(seconds=10), timedelta(minutes=30))


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"topic": "ticket.exploded"}, "topic"),
        ({"filter": [{"path": "a..b", "any_of": ["x"]}]}, "filter[0].path"),
        ({"filter": [{"path": "a", "any_of": []}]}, "filter[0].anyOf"),
        ({"hours": hours("08:00", "18:00", "monday", "monday")}, "hours.days"),
    ],
)
def test_what_a_rule_may_not_say(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid) as caught:
        rules.judge_rule(None, rule(**fields), NOW)
    assert [each.path for each in caught.value.errors] == [path]


@pytest.mark.parametrize("key", ["payments.stripe", "notifications.", "notifications.A", "notifications.a b"])
def test_a_channel_s_address_is_a_secret_for_notifications(key: str) -> None:
    with pytest.raises(Invalid):
        rules.judge_channel(None, {"secret_key": key}, NOW)
    rules.judge_channel(None, {"secret_key": "notifications.desk"}, NOW)
