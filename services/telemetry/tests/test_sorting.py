"""What becomes of a batch's events: rows with the right times, and rejections."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.telemetry.ingest.events import Batch, Check, Event, Heartbeat, Inventory, InventoryReport, Log, Metric
from services.telemetry.ingest.sorting import COLUMNS, Sorted, Window, sort_out

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
KEPT = timedelta(days=30)
FUTURE = "observedAt: is in the future"
PAST = "observedAt: is older than telemetry is kept"


def metric(at: datetime = NOW, name: str = "disk.used_percent", value: float = 1, instance: str | None = "/") -> Metric:
    return Metric(observed_at=at, name=name, value=value, instance=instance)


def sorted_out(
    *events: Event, sent_at: datetime | None = None, watched: frozenset[str] = frozenset()
) -> tuple[Sorted, Batch]:
    batch = Batch(list(events))
    window = Window.of(NOW, KEPT, sent_at)
    return sort_out(batch, window, workspace_id="acme", agent=7, watched=watched), batch


def as_dicts(found: Sorted) -> list[dict[str, Any]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in found.rows]


def test_each_type_becomes_a_row() -> None:
    found, batch = sorted_out(
        metric(),
        Heartbeat(observed_at=NOW, agent_version="2.0"),
        Log(observed_at=NOW, source="sshd", message="hi", attributes={"pid": "4"}),
        Check(observed_at=NOW, name="web", status="ok"),
        Inventory(observed_at=NOW, inventory=InventoryReport(hostname="web-01")),
    )
    rows = as_dicts(found)
    assert [(each["kind"], each["name"], each["instance"], each["value"]) for each in rows] == [
        ("metric", "disk.used_percent", "/", 1),
        ("heartbeat", "", "", None),
        ("log", "sshd", "", None),
        ("check", "web", "", None),
        ("inventory", "", "", None),
    ]
    assert {(each["workspace_id"], each["agent"], each["received_at"]) for each in rows} == {("acme", 7, NOW)}
    assert rows[2]["body"] == '{"severity":"info","message":"hi","attributes":{"pid":"4"}}'
    assert (found.agent_version, batch.rejections) == ("2.0", [])
    assert found.inventory is not None
    assert [each.name for each in found.outcomes] == ["web"]


def test_detection_sees_the_metrics_that_it_watches() -> None:
    found, _ = sorted_out(metric(), metric(name="cpu.load_1m"), watched=frozenset({"cpu.load_1m"}))
    assert [each.name for each in found.samples] == ["cpu.load_1m"]


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (NOW + timedelta(minutes=5), None),
        (NOW + timedelta(minutes=6), FUTURE),
        (NOW + timedelta(days=3650), FUTURE),
        (NOW - KEPT, None),
        (NOW - KEPT - timedelta(seconds=1), PAST),
        (datetime(1, 1, 1, tzinfo=UTC), PAST),
        (datetime(1, 1, 1, tzinfo=UTC).replace(tzinfo=UTC), PAST),
        (datetime.max.replace(tzinfo=UTC), FUTURE),
    ],
)
def test_times_that_cannot_be_are_rejected(at: datetime, reason: str | None) -> None:
    found, batch = sorted_out(metric(), metric(at))
    assert [each.message for each in batch.rejections] == ([reason] if reason else [])
    assert len(found.rows) == (1 if reason else 2)


@pytest.mark.parametrize("years", [-2000, -30, -1, 1, 30, 5000])
def test_a_clock_that_is_years_off_is_made_up_for(years: int) -> None:
    clock = NOW + timedelta(days=365 * years)
    found, batch = sorted_out(metric(clock - timedelta(minutes=3)), metric(clock), sent_at=clock)
    assert batch.rejections == []
    assert [each["observed_at"] for each in as_dicts(found)] == [NOW - timedelta(minutes=3), NOW]
    assert (found.first_observed_at, found.last_observed_at) == (NOW - timedelta(minutes=3), NOW)


@given(
    sent_at=st.datetimes(timezones=st.just(UTC)),
    at=st.lists(st.datetimes(timezones=st.timezones() | st.just(UTC)), max_size=5),
)
def test_whatever_the_times_every_event_is_taken_or_rejected(sent_at: datetime, at: list[datetime]) -> None:
    found, batch = sorted_out(*map(metric, at), sent_at=sent_at)
    assert len(found.rows) + len(batch.rejections) == len(at)
    for row in as_dicts(found):
        assert NOW - KEPT <= row["observed_at"] <= NOW + timedelta(minutes=5)


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "ü\0", "x\udfff"])
def test_texts_that_no_database_takes_are_rejected(text: str) -> None:
    wrong: list[Event] = [
        metric(instance=text),
        Log(observed_at=NOW, source=text, message="m"),
        Log(observed_at=NOW, source="s", message=text),
        Log(observed_at=NOW, source="s", message="m", attributes={text: "v"}),
        Log(observed_at=NOW, source="s", message="m", attributes={"k": text}),
        Check(observed_at=NOW, name="web", status="ok", message=text),
        Heartbeat(observed_at=NOW, agent_version=text),
        Inventory(observed_at=NOW, inventory=InventoryReport(hostname=text)),
    ]
    found, batch = sorted_out(metric(), *wrong)
    assert len(found.rows) == 1
    assert [each.position for each in batch.rejections] == list(range(1, len(wrong) + 1))


def test_positions_are_those_of_the_batch_also_where_some_could_not_be_read() -> None:
    batch = Batch([metric(), metric(NOW + KEPT)], indexes=[3, 9])
    sort_out(batch, Window(NOW, KEPT), workspace_id="acme", agent=7, watched=())
    assert [each.position for each in batch.rejections] == [9]
