"""Identifiers and the clock."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from kit import clock, ids
from kit.formats import COMPILED, IDEMPOTENCY_KEY
from opsfield.options.v1 import field_pb2


def test_an_id_is_a_uuid_of_version_7_in_lower_case() -> None:
    made = ids.new_id()
    assert UUID(made).version == 7
    assert COMPILED[field_pb2.UUID].match(made)


def test_an_id_carries_the_time_of_the_clock() -> None:
    with clock.at(datetime(2020, 5, 17, 8, 30, 0, 123_000, tzinfo=UTC)) as _:
        milliseconds = UUID(ids.new_id()).int >> 80
    assert milliseconds == 1_589_704_200_123


def test_later_ids_are_greater() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = []
    for step in range(50):
        with clock.at(start + timedelta(milliseconds=step)):
            made.append(ids.new_id())
    assert made == sorted(made)


def test_ids_of_one_instant_differ() -> None:
    with clock.at(datetime(2026, 1, 1, tzinfo=UTC)):
        assert len({ids.new_id() for _ in range(10_000)}) == 10_000


def test_a_child_key_is_the_same_for_each_retry_and_another_for_each_step() -> None:
    assert ids.child_key("k", "bill") == ids.child_key("k", "bill")
    assert len({ids.child_key("k", "bill"), ids.child_key("k", "mail"), ids.child_key("l", "bill")}) == 3
    assert IDEMPOTENCY_KEY.fullmatch(ids.child_key("x" * 255, "bill"))


def test_the_clock_goes_on_when_it_is_no_longer_set() -> None:
    then = datetime(2020, 1, 1, tzinfo=UTC)
    with clock.at(then):
        assert clock.now() == then
        with clock.at(then + timedelta(days=1)):
            assert clock.now().day == 2
        assert clock.now() == then
    assert clock.now() > then + timedelta(days=365)
    assert clock.now().tzinfo is UTC


def test_an_instant_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"), clock.at(datetime(2020, 1, 1)):  # noqa: DTZ001 - the point
        pass
