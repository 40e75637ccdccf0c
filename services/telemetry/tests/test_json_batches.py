"""Batches in JSON and NDJSON: what is right is kept, what is wrong is named."""

import json
from typing import Any

import pytest

from kit.errors import Invalid, Malformed
from services.telemetry.ingest.events import Check, Heartbeat, Inventory, Log, Metric
from services.telemetry.ingest.json_batches import MOST_EVENTS, read_json, read_ndjson

AT = "2026-03-01T09:00:00Z"
METRIC = {"type": "metric", "observedAt": AT, "name": "disk.used_percent", "instance": "/", "value": 41.5}
GOOD: list[dict[str, Any]] = [
    METRIC,
    {"type": "metric", "observedAt": AT, "name": "cpu.load_1m", "value": 2, "instance": None},
    {"type": "heartbeat", "observedAt": AT, "uptimeSeconds": 5, "agentVersion": "1.0"},
    {
        "type": "log",
        "observedAt": AT,
        "source": "sshd",
        "message": "hello",
        "severity": "warn",
        "attributes": {"a": "b"},
    },
    {"type": "check", "observedAt": AT, "name": "web", "status": "critical", "message": "refused"},
    {"type": "inventory", "observedAt": AT, "inventory": {"hostname": "web-01", "cpuCount": 4}},
]


def body(*events: Any) -> bytes:
    return json.dumps({"events": events}).encode()


def lines(*events: Any) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in events)


@pytest.mark.parametrize(
    "read", [lambda *e: read_json(body(*e)), lambda *e: read_ndjson(lines(*e))], ids=["json", "nd"]
)
def test_each_type_is_read(read: Any) -> None:
    batch = read(*GOOD)
    assert [type(each) for each in batch.events] == [Metric, Metric, Heartbeat, Log, Check, Inventory]
    assert batch.rejections == []
    second = batch.events[1]
    assert isinstance(second, Metric)
    assert second.value == 2.0


WRONG: list[tuple[Any, str]] = [
    (METRIC | {"value": "41"}, "value: expected float, got str"),
    (METRIC | {"value": None}, "value: expected float, got null"),
    (METRIC | {"value": True}, "value: expected float, got bool"),
    (METRIC | {"value": float("nan")}, "value: must be a finite number"),
    (METRIC | {"value": float("inf")}, "value: must be a finite number"),
    (METRIC | {"value": float("-inf")}, "value: must be a finite number"),
    (METRIC | {"name": ""}, "name: "),
    (METRIC | {"name": "x" * 201}, "name: "),
    (METRIC | {"name": "a b"}, "name: "),
    (METRIC | {"name": "x" * 10_000_000}, "name: "),
    (METRIC | {"unheard": 1}, "unknown field unheard"),
    (METRIC | {"type": "poem"}, "type: invalid value 'poem'"),
    (METRIC | {"observedAt": "yesterday"}, "observedAt: invalid"),
    (METRIC | {"observedAt": "2026-03-01T09:00:00"}, "observedAt: expected datetime with a timezone"),
    (METRIC | {"observedAt": 1700000000}, "observedAt: expected datetime"),
    ({"type": "metric"}, "missing required field"),
    ({}, "missing required field type"),
    ([], "expected object, got array"),
    ("x", "expected object, got str"),
    (None, "expected object, got null"),
    (GOOD[3] | {"message": "x" * 10_001}, "message: "),
    (GOOD[4] | {"status": "fine"}, "status: invalid"),
    (GOOD[5] | {"inventory": {}}, "inventory: object missing required field hostname"),
    (GOOD[2] | {"uptimeSeconds": -1}, "uptimeSeconds: "),
    (GOOD[2] | {"uptimeSeconds": 10**30}, "uptimeSeconds: "),
]


@pytest.mark.parametrize(
    "read", [lambda *e: read_json(body(*e)), lambda *e: read_ndjson(lines(*e))], ids=["json", "nd"]
)
@pytest.mark.parametrize(("wrong", "reason"), WRONG, ids=[reason[:30] + str(n) for n, (_, reason) in enumerate(WRONG)])
def test_what_is_wrong_is_named_and_the_rest_is_kept(read: Any, wrong: Any, reason: str) -> None:
    batch = read(GOOD[0], wrong, GOOD[2])
    assert [type(each) for each in batch.events] == [Metric, Heartbeat]
    [rejection] = batch.rejections
    assert rejection.position == 1
    assert reason.lower() in rejection.message.lower()
    assert len(rejection.message) < 400
    assert [batch.index(position) for position in (0, 1)] == [0, 2]


def test_a_field_that_stands_in_an_event_twice_is_found_where_something_is_wrong() -> None:
    twice = b'{"type": "heartbeat", "observedAt": "2026-03-01T09:00:00Z", "uptimeSeconds": 1, "uptimeSeconds": "x"}'
    batch = read_ndjson(twice)
    assert batch.rejections[0].message == "has a field twice"


def test_what_is_nested_without_end_is_refused() -> None:
    with pytest.raises(Malformed):
        read_json(b'{"events": ' + b"[" * 200_000)
    deep = b"[" * 100_000 + b"]" * 100_000
    batch = read_ndjson(lines(METRIC) + b"\n" + deep + b"\n" + lines(METRIC))
    assert (len(batch.events), [each.position for each in batch.rejections]) == (2, [1])


@pytest.mark.parametrize("data", [b"", b"{", b'{"events": [', b"\xff\xfe", b'{"events": ["\xff"]}', b"events"])
def test_what_is_no_json_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        read_json(data)
    assert refused.value.code == "body-not-json"


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"[]", "body"),
        (b"1", "body"),
        (b"{}", "events"),
        (b'{"events": null}', "events"),
        (b'{"events": {}}', "events"),
        (b'{"events": [], "more": 1}', "more"),
    ],
)
def test_what_is_no_batch_is_invalid(data: bytes, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_json(data)
    assert [each.path for each in refused.value.errors] == [path]


def test_a_batch_has_at_most_so_many_events() -> None:
    assert len(read_json(body(*[METRIC] * MOST_EVENTS)).events) == MOST_EVENTS
    for read, data in (
        (read_json, body(*[METRIC] * (MOST_EVENTS + 1))),
        (read_ndjson, lines(*[{}] * (MOST_EVENTS + 1))),
    ):
        with pytest.raises(Invalid):
            read(data)


def test_empty_batches_and_empty_lines_are_nothing() -> None:
    assert read_json(body()).events == []
    assert read_ndjson(b"").events == []
    assert len(read_ndjson(b"\n" + lines(METRIC, METRIC) + b"\n\n").events) == 2
    assert len(read_ndjson(b"\n" + lines(METRIC, {}) + b"\n\n").events) == 1


def test_half_a_surrogate_pair_does_not_break_the_reading() -> None:
    entry = body(GOOD[3]).replace(b"hello", b"\\ud800")
    assert len(read_json(entry).events) + len(read_json(entry).rejections) == 1
