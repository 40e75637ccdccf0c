"""What cells become, and what is wrong with them, at the column where it is."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import json_encoding
from opsfield.ops.v1.clients_pb2 import Client
from services.integrations.exports.columns import columns_of
from services.integrations.imports import rows
from services.integrations.imports.mapping import errors_of, targets_of
from services.integrations.imports.rules import Decimal, Record
from services.integrations.imports.values import ValueProblemError, from_json, from_text, put
from services.integrations.ops_kinds import all_kinds

KINDS = {
    "clients", "contacts", "sites", "assets", "tickets", "time-entries", "sla-policies", "alerts", "incidents",
    "changes", "runbooks", "knowledge-articles", "contracts", "quotes", "invoices", "payments",
}  # fmt: skip
ACME = "0190b0b0-0000-7000-8000-000000000001"


def value(kind: str, path: str, text: str) -> Any:
    fields = all_kinds()[kind].field(path)
    assert fields is not None
    return from_text(fields[-1], text)


def row_of(kind: str, mapping: dict[str, str], external: str | None = None, **cells: Any) -> rows.Row:
    pairs = [{"column": column, "field": field} for column, field in mapping.items()]
    targets = targets_of(all_kinds()[kind], pairs)
    return rows.read(Record(cells, None, "text"), 7, targets, external, is_text=True)


def test_every_kind_of_the_contract_can_be_imported() -> None:
    assert set(all_kinds()) == KINDS


def test_words_numbers_times_and_lists() -> None:
    assert value("tickets", "priority", " High ") == 3
    assert value("tickets", "status", "in progress") == 3
    assert value("tickets", "tier", "2") == 2
    assert value("tickets", "tags", "a; b;;c") == ["a", "b", "c"]
    assert value("clients", "hourlyRate", " 12.50 ") == "12.50"
    assert value("clients", "name", "'=1") == "=1"
    assert value("time-entries", "startedAt", "2026-02-28T09:30:00Z") == datetime(2026, 2, 28, 9, 30, tzinfo=UTC)
    assert value("time-entries", "startedAt", "") is None
    [line] = value("invoices", "lines", '[{"description": "Work", "quantity": 1.50}]')
    assert (line.description, line.quantity) == ("Work", "1.50")


@pytest.mark.parametrize(
    ("kind", "path", "text", "message"),
    [
        ("tickets", "priority", "urgent", "must be one of low, medium, high, critical"),
        ("tickets", "tier", "two", "must be a whole number"),
        ("tickets", "tier", "9999999999", "is out of range"),
        ("time-entries", "billable", "perhaps", "must be true or false"),
        ("time-entries", "startedAt", "2026-02-28 09:30", "must be a time with its zone"),
        ("time-entries", "startedAt", "0001-01-01T00:00:00+02:00", "must be a time with its zone"),
        ("invoices", "lines", "two of them", "must be JSON"),
        ("invoices", "lines", '[{"unicorns": 1}]', "is not a field"),
    ],
)
def test_what_cannot_be_read(kind: str, path: str, text: str, message: str) -> None:
    with pytest.raises(ValueProblemError, match=message):
        value(kind, path, text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.text(max_size=5).map(Decimal),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(KINDS)), JSON, st.text(max_size=10))
def test_nothing_makes_it_fail_but_what_it_says(kind: str, given_value: Any, text: str) -> None:
    message = all_kinds()[kind].message
    for field in message.DESCRIPTOR.fields:
        path = all_kinds()[kind].field(field.json_name)
        if path is None:
            continue
        with contextlib.suppress(ValueProblemError):
            put(message(), path, from_json(path[-1], given_value))
        with contextlib.suppress(ValueProblemError):
            put(message(), path, from_text(path[-1], text))


def test_mappings_say_what_is_wrong_and_where() -> None:
    kind = all_kinds()["tickets"]

    def wrong(*fields: str, external: str | None = None) -> list[str]:
        pairs = [{"column": f"c{place}", "field": field} for place, field in enumerate(fields)]
        return [error.path for error in errors_of(kind, pairs, external)]

    assert wrong("subject", "clientId") == []
    assert wrong("subject") == ["mapping"]
    assert wrong("subject", external="Id") == []
    assert wrong("subject", "client_id", "number", external="Id") == ["mapping[1].field", "mapping[2].field"]
    assert wrong("subject", "clientId", "subject") == ["mapping[2].field"]
    assert wrong() == ["mapping"]
    clients = all_kinds()["clients"]
    both = [{"column": "a", "field": "billingAddress"}, {"column": "b", "field": "billingAddress.city"}]
    assert [each.path for each in errors_of(clients, both, "Id")] == ["mapping[1].field"]


def test_references_are_found_by_external_ids() -> None:
    mapping = {"Subject": "subject", "Customer": "clientId"}
    row = row_of("tickets", mapping, Subject="Printer", Customer="C-1")
    assert rows.wanted([row], "tickets") == {"clients": {"C-1"}}
    rows.resolve(row, "tickets", {"clients": {"C-1": ACME}})
    message, mask = rows.message_of(row, all_kinds()["tickets"])
    assert not row.problems
    assert (message.client_id, mask) == (ACME, ["subject", "client_id"])  # type: ignore[attr-defined]
    unknown = row_of("tickets", mapping, Subject="Printer", Customer="C-2")
    rows.resolve(unknown, "tickets", {})
    assert unknown.problems == [("Customer", "C-2 is neither an id nor an external id of clients")]
    known = row_of("tickets", mapping, Subject="Printer", Customer=ACME)
    assert rows.wanted([known], "tickets") == {}


def test_a_row_whose_external_id_is_known_changes_what_is_mapped_alone() -> None:
    row = row_of("clients", {"City": "billingAddress.city", "State": "status"}, "Id", Id=" 7 ", City="", State="")
    rows.resolve(row, "clients", {"clients": {"7": ACME}})
    message, mask = rows.message_of(row, all_kinds()["clients"])
    # An empty cell clears; of an enum it leaves the word that is there.
    assert (row.resource_id, mask, row.problems) == (ACME, ["billing_address.city"], [])
    assert message == Client()


def test_limits_are_told_at_the_column() -> None:
    row = row_of("clients", {"Firma": "name", "Ort": "billingAddress.city"}, Firma="x" * 201, Ort="y" * 101)
    rows.message_of(row, all_kinds()["clients"])
    assert [column for column, _ in row.problems] == ["Firma", "Ort"]


def test_a_row_without_its_external_id_is_refused() -> None:
    row = row_of("clients", {"Name": "name"}, "Id", Name="Acme", Id=" ")
    assert row.problems == [("Id", "is needed: the row's external id")]


def test_a_chunk_ends_before_an_external_id_comes_again() -> None:
    found = [row_of("clients", {"Name": "name"}, "Id", Name="x", Id=each) for each in ("1", "2", "1", "3")]
    assert rows.until_repeated(found) == 2
    assert rows.until_repeated(found[:2]) == 2


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_exported_columns_hold_every_field(kind: str) -> None:
    descriptor = all_kinds()[kind].message.DESCRIPTOR
    columns = columns_of(descriptor)
    encoded = json_encoding.encoder(descriptor)(all_kinds()[kind].message())
    assert {column.path[0] for column in columns} == {field.json_name for field in descriptor.fields}
    assert all(isinstance(column.of(encoded), str) for column in columns)
