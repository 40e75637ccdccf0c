"""The limits of fields, on every message that comes in."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from kit import validation
from kit.errors import Invalid
from kit.tests.protos import message_class

Sample = message_class("Sample")
Part = message_class("Part")
Update = message_class("UpdateSampleRequest")
AN_ID = "0197a0c2-5f5e-7b4c-9d8e-0123456789ab"


def errors_of(message: Any, body: str = "") -> dict[str, str]:
    """What is wrong with the message, by path."""
    with pytest.raises(Invalid) as refused:
        validation.check_request(message, body)
    return {error.path: error.message for error in refused.value.errors}


def sample(**fields: Any) -> Any:
    return Sample(**{"name": "lamp", **fields})


def test_a_message_at_its_limits_is_accepted() -> None:
    for each in (
        sample(name="ab"),
        sample(name="äöüßé"),
        sample(percent=1),
        sample(percent=100),
        sample(short_tags=["a", "abc"]),
        sample(labels={"a": "1", "b": "2"}),
        sample(main_part=Part(label="12345")),
    ):
        validation.check(each)


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"name": ""}, "name", "is required"),
        ({"name": "a"}, "name", "must have at least 2 characters"),
        ({"name": "abcdef"}, "name", "must have at most 5 characters"),
        ({"name": "a\0b"}, "name", "must not contain the character NUL"),
        ({"color": 7}, "color", "must be one of red, dark_blue"),
        ({"percent": 0}, "percent", "must be at least 1"),
        ({"percent": 101}, "percent", "must be at most 100"),
        ({"short_tags": ["a", "b", "c"]}, "shortTags", "must have at most 2 items"),
        ({"short_tags": ["a", "long"]}, "shortTags[1]", "must have at most 3 characters"),
        ({"short_tags": ["", "a"]}, "shortTags[0]", "must have at least 1 characters"),
        ({"palette": [1, 9]}, "palette[1]", "must be one of red, dark_blue"),
        ({"labels": {"a": "", "b": "", "c": ""}}, "labels", "must have at most 2 items"),
        ({"main_part": {}}, "mainPart.label", "is required"),
        ({"parts": [{"label": "a"}, {"label": "too long"}]}, "parts[1].label", "must have at most 5 characters"),
    ],
)
def test_a_field_beyond_its_limit_is_refused_at_its_path(fields: dict[str, Any], path: str, message: str) -> None:
    assert errors_of(sample(**fields)) == {path: message}


@pytest.mark.parametrize(
    ("field", "path", "good", "bad"),
    [
        ("owner_id", "ownerId", [AN_ID], [AN_ID.upper(), AN_ID[:-1], AN_ID + "\n", "x"]),
        ("price", "price", ["0", "1250.00", "0.0001"], ["-1", "1.", ".5", "1.23456", "1e3", "1" * 16, "١"]),
        ("currency", "currency", ["EUR"], ["eur", "EURO", "€", "EUR\n"]),
        ("country", "country", ["DE"], ["de", "DEU", ""]),
        ("email", "email", ["ada@example.com"], ["ada", "ada@example", "a da@example.com", "@example.com"]),
        ("born_on", "bornOn", ["2026-02-28", "2028-02-29"], ["2026-02-30", "2026-13-01", "2026-2-1", "today"]),
        ("opens_at", "opensAt", ["00:00", "23:59"], ["24:00", "9:00", "09:00:00"]),
        ("time_zone", "timeZone", ["Europe/Dublin", "UTC"], ["Europe/Atlantis", "CET+1", "../etc/passwd"]),
        ("website", "website", ["https://example.com/a?b"], ["example.com", "ftp://example.com", "javascript:x"]),
    ],
)
def test_a_formatted_text_must_match_its_format(field: str, path: str, good: list[str], bad: list[str]) -> None:
    for text in good:
        validation.check(sample(**{field: text}))
    for text in bad:
        assert list(errors_of(sample(**{field: text}))) == [path], text


def test_all_errors_come_at_once() -> None:
    message = sample(name="", percent=500, short_tags=["long", "b", "c"], main_part=Part(label=""), color=9)
    assert set(errors_of(message)) == {"name", "percent", "shortTags", "shortTags[0]", "mainPart.label", "color"}


def test_one_field_can_be_wrong_in_two_ways() -> None:
    with pytest.raises(Invalid) as refused:
        validation.check(sample(name="\0abcdef"))
    assert [error.path for error in refused.value.errors] == ["name", "name"]


def test_what_only_the_platform_sets_is_not_looked_at() -> None:
    validation.check(sample(id="whatever a caller wrote here"))


def test_an_update_is_judged_by_the_fields_its_mask_names() -> None:
    request = Update(id=AN_ID, sample=Sample(percent=500), update_mask=FieldMask(paths=["color"]))
    validation.check_request(request, "sample")
    request.update_mask.paths.append("percent")
    assert errors_of(request, "sample") == {"percent": "must be at most 100"}


def test_an_update_may_not_clear_what_is_required() -> None:
    request = Update(id=AN_ID, sample=Sample(), update_mask=FieldMask(paths=["name"]))
    assert errors_of(request, "sample") == {"name": "is required"}


def test_a_mask_that_goes_deeper_counts_for_the_whole_field() -> None:
    request = Update(id=AN_ID, sample=Sample(main_part=Part(label="too long")))
    request.update_mask.paths.append("main_part.label")
    assert errors_of(request, "sample") == {"mainPart.label": "must have at most 5 characters"}


def test_an_id_that_cannot_be_absent_cannot_be_empty() -> None:
    assert errors_of(message_class("GetSampleRequest")()) == {"id": "is required"}


def test_the_rest_of_an_update_is_judged_whatever_the_mask_says() -> None:
    request = Update(id="x", sample=Sample(percent=500), update_mask=FieldMask(paths=["percent"]))
    assert errors_of(request, "sample") == {
        "id": "must be a UUID in lower case",
        "percent": "must be at most 100",
    }
