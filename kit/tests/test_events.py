"""Events as CloudEvents 1.0, and back."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import clock
from kit.call import Call
from kit.events import Event, NotAnEvent, ReceivedEvent, compose, parse
from kit.identity import Principal
from kit.tests.protos import message_class

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
REQUIRED = ("specversion", "id", "source", "subject", "time", "workspaceid", "correlationid", "data")


def composed(traceparent: str | None = None) -> Event:
    sample = message_class("Sample")(name="lamp", color=2, secret="s3cret")
    call = Call("/Do", Principal("ada", workspace_id="acme"), "c-1", traceparent=traceparent)
    with clock.at(NOON):
        return compose(message_class("SampleHappened")(sample=sample), key="k-1", service="ops", call=call)


def body(**changes: Any) -> bytes:
    """A good event but for the changes; a value of ... leaves the attribute out."""
    changed = json.loads(composed().body) | changes
    return json.dumps({name: value for name, value in changed.items() if value is not ...}).encode()


def test_an_event_is_a_cloud_event_with_our_extensions() -> None:
    event = composed()
    attributes = json.loads(event.body)
    data = attributes.pop("data")
    assert attributes == {
        "specversion": "1.0",
        "id": event.id,
        "source": "/opsfield/ops",
        "type": "sample.happened",
        "subject": "k-1",
        "time": "2026-01-02T12:00:00Z",
        "datacontenttype": "application/json",
        "workspaceid": "acme",
        "correlationid": "c-1",
    }
    assert (data["sample"]["name"], data["sample"]["color"]) == ("lamp", "dark_blue")
    assert (event.topic, event.key, event.created_at) == ("sample.happened", "k-1", NOON)


def test_an_event_carries_no_secret() -> None:
    assert "s3cret" not in composed().body


def test_the_trace_travels_with_the_event_when_there_is_one() -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert parse(composed(traceparent).body.encode(), topic="t").traceparent == traceparent
    assert parse(composed().body.encode(), topic="t").traceparent is None


def test_a_consumer_reads_what_was_composed() -> None:
    event = composed()
    read = parse(event.body.encode(), topic="sample.happened")
    assert read == ReceivedEvent(
        id=event.id,
        source="/opsfield/ops",
        topic="sample.happened",
        key="k-1",
        workspace_id="acme",
        correlation_id="c-1",
        traceparent=None,
        time=NOON,
        data=json.loads(event.body)["data"],
    )


@pytest.mark.parametrize("attribute", REQUIRED)
def test_an_attribute_that_is_missing_is_named(attribute: str) -> None:
    with pytest.raises(NotAnEvent, match=attribute):
        parse(body(**{attribute: ...}), topic="t")


@pytest.mark.parametrize(
    "changes",
    [
        {"specversion": "0.3"},
        {"id": ""},
        {"id": 5},
        {"workspaceid": None},
        {"time": "yesterday"},
        {"time": "2026-01-02T12:00:00"},
        {"data": None},
        {"data": [1]},
        {"traceparent": 5},
    ],
)
def test_an_attribute_of_the_wrong_kind_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(NotAnEvent):
        parse(body(**changes), topic="t")


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 2000])
def test_what_is_no_json_object_is_refused(value: bytes | None) -> None:
    with pytest.raises(NotAnEvent):
        parse(value, topic="t")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def parses_or_is_no_event(value: bytes | None) -> None:
    try:
        event = parse(value, topic="t")
    except NotAnEvent:
        return
    assert event.id
    assert event.workspace_id
    assert isinstance(event.data, dict)
    assert event.time.tzinfo is not None


@given(st.binary() | st.none())
def test_no_bytes_are_more_than_no_event(value: bytes | None) -> None:
    parses_or_is_no_event(value)


@given(st.dictionaries(st.sampled_from((*REQUIRED, "traceparent")), JSON, min_size=1, max_size=3))
def test_no_attributes_are_more_than_no_event(changes: dict[str, Any]) -> None:
    parses_or_is_no_event(body(**changes))
