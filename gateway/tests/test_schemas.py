"""What callers may send, and what becomes of it."""

from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.timestamp_pb2 import Timestamp

from gateway import schemas
from gateway.requests import mask_paths
from gateway.shapes import Shape
from gateway.tests import sample
from gateway.validation import validate
from kit.contract import ContractError
from opsfield.ops.v1 import clients_pb2, tickets_pb2

CLIENT = clients_pb2.DESCRIPTOR.message_types_by_name["Client"]
TICKET = tickets_pb2.DESCRIPTOR.message_types_by_name["Ticket"]
CLIENT_ID = "0193a4a4-7d2b-7000-8000-000000000000"
TICKET_BODY = {"subject": "Printer on fire", "clientId": CLIENT_ID}


def errors(message: Descriptor, shape: Shape, body: Any) -> dict[str, str]:
    _, found = validate(schemas.body_validator(message, shape), body)
    return {error.path: error.message for error in found}


def values(message: Descriptor, shape: Shape, body: Any) -> Any:
    found, wrong = validate(schemas.body_validator(message, shape), body)
    assert not wrong
    return found


@pytest.mark.parametrize(
    ("changed", "path", "message"),
    [
        ({"subject": ""}, "subject", "must have at least 1 character"),
        ({"subject": "x" * 201}, "subject", "must have at most 200 characters"),
        ({"subject": 7}, "subject", "must be a string"),
        ({"subject": None}, "subject", "must be a string"),
        ({"clientId": "7"}, "clientId", "must be a UUID in lower case"),
        ({"clientId": CLIENT_ID.upper()}, "clientId", "must be a UUID in lower case"),
        ({"clientId": CLIENT_ID + "\n"}, "clientId", "must be a UUID in lower case"),
        ({"tier": 0}, "tier", "must be at least 1"),
        ({"tier": 4}, "tier", "must be at most 3"),
        ({"tier": 2**31}, "tier", "must be at most 3"),
        ({"tier": 2**70}, "tier", "must be at most 3"),
        ({"tier": "2"}, "tier", "must be a whole number"),
        ({"tier": 2.0}, "tier", "must be a whole number"),
        ({"tier": True}, "tier", "must be a whole number"),
        ({"priority": "HIGH"}, "priority", "must be one of low, medium, high, critical"),
        ({"priority": "priority_unspecified"}, "priority", "must be one of low, medium, high, critical"),
        ({"priority": 3}, "priority", "must be one of low, medium, high, critical"),
        ({"priority": None}, "priority", "must be one of low, medium, high, critical"),
        ({"tags": "a"}, "tags", "must be a list"),
        ({"tags": None}, "tags", "must be a list"),
        ({"tags": ["a"] * 51}, "tags", "must have at most 50 items"),
        ({"tags": ["a", "b", ""]}, "tags[2]", "must have at least 1 character"),
        ({"tags": ["a", None]}, "tags[1]", "must be a string"),
        ({"id": CLIENT_ID}, "id", "is read-only"),
        ({"version": 1}, "version", "is read-only"),
        ({"client_id": CLIENT_ID}, "client_id", "is not a known field"),
        ({"nope": 1}, "nope", "is not a known field"),
    ],
)
def test_an_error_names_its_place_and_says_what_is_wanted(changed: dict[str, Any], path: str, message: str) -> None:
    assert errors(TICKET, Shape.CREATE, TICKET_BODY | changed) == {path: message}


def test_all_errors_come_at_once() -> None:
    body = {"tier": "2", "tags": [1, "", "ok"], "nope": 1, "id": "x"}
    assert set(errors(TICKET, Shape.CREATE, body)) == {
        "subject",
        "clientId",
        "tier",
        "tags[0]",
        "tags[1]",
        "nope",
        "id",
    }


def test_there_is_an_end_to_errors() -> None:
    assert len(errors(TICKET, Shape.CREATE, TICKET_BODY | {f"x{number}": 1 for number in range(1000)})) == 100


@pytest.mark.parametrize("body", [None, 1, "x", [], [TICKET_BODY]])
def test_a_body_must_be_an_object(body: Any) -> None:
    assert errors(TICKET, Shape.CREATE, body) == {"body": "must be an object"}


def test_errors_in_a_nested_object_have_its_path() -> None:
    body = {"name": "ACME", "billingAddress": {"country": "Germany", "postal_code": "1", "line1": 3}}
    assert errors(CLIENT, Shape.CREATE, body) == {
        "billingAddress.country": 'must be an ISO 3166-1 country code, such as "DE"',
        "billingAddress.line1": "must be a string",
        "billingAddress.postal_code": "is not a known field",
    }


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("website", ["https://acme.test/a?b"], ["ftp://acme.test", "acme.test", "https:// acme"]),
        ("email", ["a@acme.test"], ["acme.test", "a@acme", "a b@acme.test"]),
        ("currency", ["EUR"], ["eur", "EURO", "€"]),
        ("hourlyRate", ["0", "120.5", "120.5000"], ["-1", "1,5", "1.", ".5", "1.00000", "1e3", "1" * 16, "NaN"]),
    ],
)
def test_formats(field: str, good: list[str], bad: list[str]) -> None:
    for text in good:
        assert errors(CLIENT, Shape.CREATE, {"name": "ACME", field: text}) == {}
    for text in bad:
        assert list(errors(CLIENT, Shape.CREATE, {"name": "ACME", field: text})) == [field]


def test_only_what_was_sent_comes_out_with_enums_as_numbers() -> None:
    body: dict[str, Any] = TICKET_BODY | {"priority": "high", "tags": [], "description": None}
    assert values(TICKET, Shape.CREATE, body) == {
        "subject": "Printer on fire",
        "client_id": CLIENT_ID,
        "priority": tickets_pb2.Ticket.HIGH,
        "tags": [],
        "description": None,
    }


def test_a_put_takes_what_a_get_gave() -> None:
    read: dict[str, Any] = TICKET_BODY | {
        "id": CLIENT_ID,
        "version": 3,
        "createdAt": "2025-01-01T00:00:00Z",
        "escalations": [],
        "tier": None,
    }
    found = tickets_pb2.Ticket(**values(TICKET, Shape.REPLACE, read))
    assert found == tickets_pb2.Ticket(subject="Printer on fire", client_id=CLIENT_ID)


def test_a_put_needs_what_a_post_needs() -> None:
    assert errors(TICKET, Shape.REPLACE, {"version": "whatever"}) == {
        "subject": "is required",
        "clientId": "is required",
    }


def test_a_patch_needs_nothing_and_null_clears() -> None:
    body = {"description": None, "tags": None, "tier": 2}
    assert sorted(mask_paths(TICKET, values(TICKET, Shape.PATCH, body))) == ["description", "tags", "tier"]
    assert mask_paths(TICKET, values(TICKET, Shape.PATCH, {})) == []


@pytest.mark.parametrize("field", ["subject", "clientId", "status"])
def test_a_patch_cannot_clear_what_always_has_a_value(field: str) -> None:
    assert list(errors(TICKET, Shape.PATCH, {field: None})) == [field]


def test_a_patch_refuses_what_only_the_platform_sets() -> None:
    assert errors(TICKET, Shape.PATCH, {"version": 4, "resolvedAt": None}) == {
        "version": "is read-only",
        "resolvedAt": "is read-only",
    }


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"billingAddress": {"city": "Ulm", "line2": None}}, ["billing_address.line2", "billing_address.city"]),
        ({"billingAddress": None}, ["billing_address"]),
        ({"billingAddress": {}}, []),
        ({"tags": []}, ["tags"]),
        ({"name": "ACME", "tags": ["a"]}, ["name", "tags"]),
    ],
)
def test_a_patch_names_the_fields_that_were_sent(body: dict[str, Any], paths: list[str]) -> None:
    assert mask_paths(CLIENT, values(CLIENT, Shape.PATCH, body)) == paths


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("1970-01-01T00:00:01Z", 1, 0),
        ("1970-01-01t02:00:00.123456789+02:00", 0, 123456000),
        ("1969-12-31T23:59:59.5Z", -1, 500000000),
        ("9999-12-31T23:59:59.999999Z", 253402300799, 999999000),
        ("0001-01-01T00:00:00Z", -62135596800, 0),
    ],
)
def test_times_become_instants(text: str, seconds: int, nanos: int) -> None:
    found = values(sample.MESSAGE, Shape.CREATE, {"at": text})
    assert found == {"at": Timestamp(seconds=seconds, nanos=nanos)}


@pytest.mark.parametrize(
    "text",
    [
        "2025-01-01",
        "2025-01-01T00:00:00",
        "2025-01-01 00:00:00Z",
        "2025-02-30T00:00:00Z",
        "2025-01-01T24:00:00Z",
        "2025-01-01T00:00:60Z",
        "2025-01-01T00:00Z",
        "1735689600",
        "2025-01-01T00:00:00+25:00",
        "0000-01-01T00:00:00Z",
        "",
    ],
)
def test_a_time_without_offset_or_out_of_the_calendar_is_refused(text: str) -> None:
    assert list(errors(sample.MESSAGE, Shape.CREATE, {"at": text})) == ["at"]


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00"])
def test_a_time_that_leaves_the_calendar_in_utc_is_refused(text: str) -> None:
    assert errors(sample.MESSAGE, Shape.CREATE, {"at": text}) == {"at": "must be a time between the years 1 and 9999"}


def test_integers_keep_to_their_width() -> None:
    assert values(sample.MESSAGE, Shape.CREATE, {"big": 2**63 - 1, "small": -(2**31)})
    assert set(errors(sample.MESSAGE, Shape.CREATE, {"big": 2**63, "small": -(2**31) - 1})) == {"big", "small"}


def test_numbers_may_be_whole_or_not_but_no_text() -> None:
    assert values(sample.MESSAGE, Shape.CREATE, {"ratio": 1}) == {"ratio": 1}
    assert errors(sample.MESSAGE, Shape.CREATE, {"ratio": "1"}) == {"ratio": "must be a number"}
    assert errors(sample.MESSAGE, Shape.CREATE, {"flag": 1}) == {"flag": "must be true or false"}


def test_maps_and_free_form_objects_become_part_of_the_message() -> None:
    found = sample.CLASS(**values(sample.MESSAGE, Shape.CREATE, {"labels": {"a": "b"}, "input": {"x": [1, None, "y"]}}))
    assert found == sample.CLASS(labels={"a": "b"}, input={"x": [1, None, "y"]})
    assert errors(sample.MESSAGE, Shape.CREATE, {"labels": {"a": 1, "b": "x"}, "input": []}) == {
        "labels.a": "must be a string",
        "input": "must be an object",
    }
    assert errors(sample.MESSAGE, Shape.CREATE, {"labels": dict.fromkeys("abc", "x")}) == {
        "labels": "must have at most 2 items"
    }


def nested(levels: int, *, in_lists: bool = False) -> Any:
    value: Any = {}
    for _ in range(levels - 2):
        value = [value] if in_lists else {"a": value}
    return {"a": value}


@pytest.mark.parametrize("in_lists", [False, True], ids=["objects", "lists"])
def test_free_form_objects_are_as_deep_as_every_message_can_hold(in_lists: bool) -> None:
    found = values(sample.MESSAGE, Shape.CREATE, {"input": nested(30, in_lists=in_lists)})
    message = sample.CLASS(**found)
    assert sample.CLASS.FromString(message.SerializeToString()) == message
    for levels in (31, 34, 50, 64):
        assert errors(sample.MESSAGE, Shape.CREATE, {"input": nested(levels, in_lists=in_lists)}) == {
            "input": "must not be nested deeper than 30 levels"
        }


@pytest.mark.parametrize(
    "value", [10**309, -(10**309), 10**4000, [{"x": 10**309}]], ids=["large", "negative", "very large", "inside"]
)
def test_a_number_in_a_free_form_object_must_be_a_double(value: Any) -> None:
    assert errors(sample.MESSAGE, Shape.CREATE, {"input": {"n": value}}) == {"input": "holds a number out of range"}
    assert values(sample.MESSAGE, Shape.CREATE, {"input": {"n": 10**308}})


def test_a_patch_replaces_maps_and_free_form_objects_whole() -> None:
    body = {"labels": {"a": "b"}, "input": {"x": {"y": 1}}}
    assert mask_paths(sample.MESSAGE, values(sample.MESSAGE, Shape.PATCH, body)) == ["labels", "input"]


def test_only_one_of_a_choice_may_be_given() -> None:
    assert values(sample.MESSAGE, Shape.CREATE, {"left": "x"}) == {"left": "x"}
    assert errors(sample.MESSAGE, Shape.CREATE, {"left": "x", "right": "y"}) == {
        "body": "must have only one of left, right"
    }


def test_a_message_that_contains_itself_stops_the_start() -> None:
    with pytest.raises(ContractError, match="contains itself"):
        schemas.body_validator(sample.TREE, Shape.CREATE)


def test_a_field_that_json_has_no_form_for_stops_the_start() -> None:
    with pytest.raises(ContractError, match="cannot send"):
        schemas.body_validator(sample.UNFIT, Shape.CREATE)
