"""Between messages and rows."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from kit.errors import Invalid
from kit.resources.convert import apply_mask, message_builder, row_of, search_text
from kit.resources.kind import Kind, Row
from kit.tests.protos import message_class

Sample = message_class("Sample")
Part = message_class("Part")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def kind() -> Kind:
    return Kind(message=Sample, rules=lambda _before, _after, _now: None)


@pytest.fixture
def _far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process believes it is in Tokyo."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def masked(kind: Kind, row: Row, message: Any, *paths: str) -> Row:
    apply_mask(row, message, paths, kind)
    return row


def test_a_row_holds_words_times_and_plain_values(kind: Kind) -> None:
    message = Sample(
        id="chosen by a caller",
        name="lamp",
        color=2,
        palette=[1],
        short_tags=["a"],
        main_part=Part(label="x"),
        labels={"k": "v"},
        due_at=NOON,
    )
    row = row_of(message, kind.writable)
    assert "id" not in row
    assert (row["name"], row["color"], row["palette"], row["short_tags"]) == ("lamp", "dark_blue", ["red"], ["a"])
    assert (row["main_part"], row["labels"], row["due_at"]) == ({"label": "x"}, {"k": "v"}, NOON)


def test_what_is_unset_is_none_or_empty(kind: Kind) -> None:
    row = row_of(Sample(), kind.writable)
    assert row["color"] is row["percent"] is row["main_part"] is row["due_at"] is None
    assert row["short_tags"] == row["parts"] == []
    assert row["labels"] == {}


@pytest.mark.usefixtures("_far_east")
def test_an_instant_is_the_same_wherever_the_process_runs(kind: Kind) -> None:
    assert row_of(Sample(due_at=NOON), kind.writable)["due_at"] == NOON


def test_a_message_is_built_from_its_row(kind: Kind) -> None:
    part = {"label": "x", "pin": None, "built_at": "2026-01-02T12:00:00Z"}
    row: Row = dict.fromkeys(kind.columns) | {
        "id": "i-1", "name": "lamp", "color": "dark_blue", "short_tags": ["a"], "palette": [], "main_part": part,
        "parts": [part], "labels": {}, "due_at": NOON, "byte_count": 7, "is_open": True,
    }  # fmt: skip
    expected = Part(label="x", built_at=NOON)
    assert message_builder(kind)(row) == Sample(
        id="i-1", name="lamp", color=2, short_tags=["a"], main_part=expected, parts=[expected], due_at=NOON,
        byte_count=7, is_open=True,
    )  # fmt: skip


def test_a_mask_sets_what_it_names_and_leaves_the_rest(kind: Kind) -> None:
    row = row_of(Sample(name="lamp", percent=5), kind.writable)
    masked(kind, row, Sample(name="ignored", percent=7), "percent")
    assert (row["name"], row["percent"]) == ("lamp", 7)


def test_a_mask_clears_what_it_names_and_the_message_leaves_out(kind: Kind) -> None:
    row = row_of(Sample(name="lamp", percent=5, short_tags=["a"], main_part=Part(label="x")), kind.writable)
    masked(kind, row, Sample(), "percent", "short_tags", "main_part")
    assert (row["percent"], row["short_tags"], row["main_part"]) == (None, [], None)


def test_a_mask_reaches_into_a_nested_message(kind: Kind) -> None:
    row = row_of(Sample(main_part=Part(label="x", pin="1")), kind.writable)
    masked(kind, row, Sample(main_part=Part(label="y")), "main_part.label")
    assert row["main_part"] == {"label": "y", "pin": "1"}
    empty = row_of(Sample(), kind.writable)
    assert masked(kind, empty, Sample(main_part=Part(label="y")), "main_part.label")["main_part"] == {"label": "y"}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("id", "is read-only"),
        ("nothing", "is not a field"),
        ("main_part.nothing", "is not a field"),
        ("name.first", "is not a field"),
        ("parts.label", "is not a field"),
        ("deleted_at", "is not a field"),
        ("", "is not a field"),
    ],
)
def test_a_mask_that_cannot_be_followed_is_refused(kind: Kind, path: str, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        masked(kind, row_of(Sample(), kind.writable), Sample(), path)
    assert [(error.path, error.message) for error in refused.value.errors] == [(path, message)]


def test_free_text_search_sees_each_text_at_every_depth_in_lower_case(kind: Kind) -> None:
    row = row_of(
        Sample(name="LÄMP", short_tags=["Ab"], main_part=Part(label="Deep"), parts=[Part(label="X")]), kind.writable
    )
    text = search_text(kind, row)
    assert text.splitlines() == ["lämp", "ab", "deep", "x"]
