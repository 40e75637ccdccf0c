"""Messages as the JSON of the contract."""

import json
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from kit import json_encoding
from kit.tests.protos import descriptor, message_class

Sample = message_class("Sample")
Part = message_class("Part")


def encoded(message: Any) -> Any:
    return json.loads(json_encoding.encode(message))


def test_names_are_in_camel_case_in_the_order_of_the_proto() -> None:
    assert list(encoded(Sample()))[:8] == [
        "id", "name", "color", "percent", "shortTags", "palette", "mainPart", "parts",
    ]  # fmt: skip


def test_what_is_unset_is_null_or_empty_and_never_left_out() -> None:
    body = encoded(Sample())
    assert len(body) == len(descriptor("Sample").fields)
    assert body["color"] is body["percent"] is body["mainPart"] is body["dueAt"] is body["secret"] is None
    assert body["shortTags"] == body["palette"] == body["parts"] == []
    assert (body["labels"], body["name"], body["byteCount"], body["isOpen"]) == ({}, "", 0, False)


def test_a_zero_that_was_set_is_not_null() -> None:
    assert encoded(Sample(percent=0))["percent"] == 0


def test_enums_are_words_in_lower_case() -> None:
    body = encoded(Sample(color=2, palette=[1, 2]))
    assert body["color"] == "dark_blue"
    assert body["palette"] == ["red", "dark_blue"]


def test_64_bit_integers_are_numbers_to_the_last_digit() -> None:
    for number in (2**63 - 1, -(2**63)):
        assert f'"byteCount":{number}'.encode() in json_encoding.encode(Sample(byte_count=number))


def test_nested_messages_and_maps_are_objects() -> None:
    body = encoded(Sample(main_part=Part(label="a"), parts=[Part(label="b", pin="1")], labels={"k": "v"}))
    assert body["mainPart"] == {"label": "a", "pin": None, "builtAt": None}
    assert body["parts"] == [{"label": "b", "pin": "1", "builtAt": None}]
    assert body["labels"] == {"k": "v"}


def test_text_is_kept_as_it_is() -> None:
    text = 'ä "quoted" \\ \u2028 \U0001f600'
    assert encoded(Sample(name=text))["name"] == text


def test_times_are_utc_with_z() -> None:
    body = encoded(Sample(due_at=datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)))
    assert body["dueAt"] == "2026-01-02T03:04:05.678901Z"


@given(st.datetimes(datetime(1900, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds
def test_every_instant_keeps_its_microsecond(instant: datetime) -> None:
    assert datetime.fromisoformat(encoded(Sample(due_at=instant))["dueAt"]) == instant


def test_nanoseconds_never_make_an_instant_later() -> None:
    body = encoded(Sample(due_at=Timestamp(seconds=0, nanos=999_999_999)))
    assert body["dueAt"] == "1970-01-01T00:00:00.999999Z"


def test_redacted_leaves_out_what_is_sensitive_at_every_depth() -> None:
    message = Sample(name="lamp", secret="s3cret", main_part=Part(label="a", pin="1234"), parts=[Part(pin="1234")])
    body = json_encoding.encoder(descriptor("Sample"), redacted=True)(message)
    assert "secret" not in body
    assert "pin" not in body["mainPart"]
    assert "pin" not in body["parts"][0]
    assert body["name"] == "lamp"
    assert encoded(message)["secret"] == "s3cret"
