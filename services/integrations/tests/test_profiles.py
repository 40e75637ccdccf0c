"""Exports of other products, in the layout that those write, become what they mean here."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit import json_encoding
from opsfield.integrations.v1.jobs_pb2 import ColumnMapping, CreateImportRequest, DefaultValue, Job
from opsfield.ops.v1.assets_pb2 import Asset
from services.integrations.imports import rows
from services.integrations.imports.mapping import defaults_of, errors_of, targets_of
from services.integrations.imports.moves import split_off
from services.integrations.imports.profiles.all import PROFILES
from services.integrations.imports.profiles.profile import Context, Profile
from services.integrations.imports.rows import Row
from services.integrations.imports.rules import Record, read_csv, read_header, read_jsonl
from services.integrations.jobs.requests import import_of
from services.integrations.ops_kinds import all_kinds

DATA = Path(__file__).resolve().parents[3] / "tests" / "data"
DUBLIN = ZoneInfo("Europe/Dublin")


def records(profile: Profile) -> list[Record]:
    data = (DATA / f"{profile.name.replace('.', '-')}.{profile.format}").read_bytes()
    if profile.format == "jsonl":
        return read_jsonl(data, is_last=True, most=100)[0]
    header = read_header(data, is_last=True)
    assert header is not None
    assert profile.required <= set(header.columns)
    return read_csv(data[header.size :], header.columns, header.delimiter, is_last=True, most=100)[0]


def read(name: str, client: str | None = None) -> list[Row]:
    """The rows of the sample file, as an import reads them."""
    profile = PROFILES[name]
    kind = all_kinds()[profile.kind]
    defaults = defaults_of(kind, [{"field": "clientId", "value": client}] if client else [])
    found = []
    for number, record in enumerate(records(profile), 1):
        translated, problems = profile.translated(record, Context(client, DUBLIN))
        row = rows.read(
            translated,
            number,
            targets_of(kind, profile.pairs),
            profile.external_id,
            is_text=profile.format == "csv",
            zone=DUBLIN,
        )
        row.problems[:0] = problems
        rows.fill(row, defaults)
        found.append(row)
    return found


def values(row: Row) -> dict[str, Any]:
    return {target.path: value for target, value in row.values.items() if value is not None}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_every_profile_is_a_mapping_that_holds(profile: Profile) -> None:
    kind = all_kinds()[profile.kind]
    assert errors_of(kind, profile.pairs, profile.external_id) == []
    assert {path.partition(".")[0] for _, path in profile.mapping} >= set(kind.required) - {"clientId"}
    made = {step.column for step in profile.steps}
    there = set(records(profile)[0].values or ())
    assert {column for column, _ in profile.mapping} | {profile.external_id} <= made | there
    assert all(set(step.reads) <= made | there for step in profile.steps)


def test_itflow_clients() -> None:
    dental, plus, nowhere = read("itflow.clients")
    found = values(dental)
    assert dental.external_id == "Harbour Dental"
    assert (found["website"], found["billingAddress.country"]) == ("https://www.harbourdental.example", "IE")
    assert (found["hourlyRate"], found["currency"], found["paymentTermsDays"]) == ("120.00", "EUR", 30)
    assert (plus.external_id, values(plus)["name"], values(plus)["billingAddress.country"]) == (
        "+Plus Logistics", "+Plus Logistics", "GB",
    )  # fmt: skip
    assert "billingAddress.country" not in values(nowhere)
    for row in (dental, plus, nowhere):
        rows.message_of(row, all_kinds()["clients"])
        assert row.problems == []


def test_what_belongs_to_a_client_is_known_by_both_names() -> None:
    main, _ = read("itflow.locations", "Harbour Dental")
    mary, jo, nobody = read("itflow.contacts", "Harbour Dental")
    laptop, server, scanner = read("itflow.assets")
    assert main.external_id == values(mary)["siteId"] == values(server)["siteId"] == "Harbour Dental / Main Practice"
    assert mary.external_id == values(laptop)["contactId"] == "Harbour Dental / Mary Byrne"
    assert rows.wanted([jo], "contacts") == {
        "contacts": {"Harbour Dental / Jo Walsh"},
        "clients": {"Harbour Dental"},
        "sites": {"Harbour Dental / Annex"},
    }
    assert values(mary)["phone"] == "(555) 010-2001 ext. 12"
    assert values(main)["notes"] == "Ground floor\nHours: Mon-Fri 9-17"
    assert (scanner.external_id, values(scanner)["clientId"]) == ("+Plus Logistics / PLUS-SCAN", "+Plus Logistics")
    rows.resolve(nobody, "contacts", {"clients": {"Harbour Dental": "0190b0b0-0000-7000-8000-000000000001"}})
    assert nobody.problems == [
        ("Location", "Harbour Dental / Third Floor is neither an id nor an external id of sites")
    ]


def test_itflow_assets() -> None:
    laptop, server, scanner = (values(row) for row in read("itflow.assets"))
    types = (Asset.LAPTOP, Asset.SERVER, Asset.OTHER)
    assert tuple(each["type"] for each in (laptop, server, scanner)) == types
    assert laptop["notes"] == "Reception laptop\nStands at: Front desk\nDocking station too"
    assert (laptop["macAddress"], server["macAddress"]) == ("00:1b:44:11:3a:b7", "00:1B:44:11:3A:B8")
    assert ("ipAddress" in laptop, server["ipAddress"]) == (False, "10.0.0.5")
    assert (laptop["purchaseDate"], "purchaseDate" in server) == ("2024-03-01", False)


def test_itflow_tickets() -> None:
    closed, urgent, parts, unknown, held = read("itflow.tickets")
    encoded = []
    for row in (closed, urgent, parts, held):
        rows.resolve(row, "tickets", Anything())
        message, _ = rows.message_of(row, all_kinds()["tickets"])
        assert row.problems == []
        moves = split_off(message, "tickets")
        encode = json_encoding.encoder(message.DESCRIPTOR)
        encoded.append((encode(message), [encode(each)["status"] for each in moves]))
    assert [ways for _, ways in encoded] == [
        ["resolved", "closed"], ["open"], ["open"], ["open", "waiting_on_client"],
    ]  # fmt: skip
    first = encoded[0][0]
    assert first["description"] == (
        "In ITFlow TCK-1, opened 2024-05-02T09:15:00+01:00, resolved 2024-05-02T11:00:00+01:00, "
        "closed 2024-05-05T00:00:00+01:00"
    )
    assert (first["resolution"], first["status"], first["priority"]) == ("Resolved in ITFlow.", None, "low")
    assert (encoded[1][0]["priority"], encoded[1][0]["resolution"]) == ("critical", None)
    assert unknown.problems == [("Priority", "must be one of Low, Medium, High, Urgent")]


def test_a_later_run_leaves_what_only_a_new_one_gets() -> None:
    row = read("itflow.tickets")[0]
    row.resource_id = "0190b0b0-0000-7000-8000-000000000001"
    rows.leave(row, PROFILES["itflow.tickets"].only_new)
    assert {"subject", "priority"} <= values(row).keys()
    assert values(row).keys().isdisjoint({"status", "description", "resolution"})


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_no_cell_makes_a_profile_fail(profile: Profile, data: st.DataObject) -> None:
    columns = sorted((records(profile)[0].values or {}).keys())
    anything = (
        st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.lists(st.text(max_size=3), max_size=2)
    )
    cells = data.draw(st.dictionaries(st.sampled_from(columns), anything))
    translated, problems = profile.translated(Record(cells, None, ""), Context("Acme", DUBLIN))
    targets = targets_of(all_kinds()[profile.kind], profile.pairs)
    row = rows.read(translated, 1, targets, profile.external_id, is_text=False, zone=DUBLIN)
    assert all(isinstance(message, str) for _, message in [*problems, *row.problems])


def test_columns_that_the_file_lacks_clear_nothing() -> None:
    profile = PROFILES["itflow.assets"]
    record, problems = profile.translated(Record({"Name": "X"}, None, "X"), Context("Acme"))
    assert (record.values, problems) == ({"Name": "X", "Client / Name": "Acme / X"}, [])


def test_tactical_rmm() -> None:
    client, _ = read("tactical-rmm.clients")
    first, second = read("tactical-rmm.sites")
    server, laptop = read("tactical-rmm.agents")
    assert client.external_id == values(first)["clientId"] == values(server)["clientId"] == "Harbour Dental"
    assert first.external_id == values(server)["siteId"] == "Harbour Dental / Main Practice"
    assert second.external_id == "Quarry Stone / Main Practice"
    found = values(server)
    assert (found["hostname"], found["ipAddress"], found["serialNumber"]) == ("HD-SRV-01", "10.0.0.5", "CZ123")
    assert found["maintenanceMode"] is True
    assert values(laptop).keys().isdisjoint({"serialNumber", "ipAddress"})
    for row in (server, laptop):
        rows.resolve(row, "assets", Anything())
        rows.message_of(row, all_kinds()["assets"])
        assert row.problems == []


def wrong(**fields: Any) -> set[str]:
    return {error.path for error in import_of(CreateImportRequest(upload_id="x", **fields))[1]}


def test_either_a_profile_or_a_mapping() -> None:
    mapping = [ColumnMapping(column="Name", field="name")]
    assert wrong(profile="itflow.clients") == set()
    assert wrong(profile="itflow.clients", kind="clients", format=Job.CSV, time_zone="Europe/Dublin") == set()
    assert wrong(profile="itflow.unicorns") == {"profile"}
    assert wrong(
        profile="itflow.clients", kind="tickets", format=Job.JSONL, mapping=mapping, external_id_column="Name"
    ) == {"kind", "format", "mapping", "externalIdColumn"}
    assert wrong(profile="itflow.contacts") == {"defaults"}
    assert wrong(kind="clients", format=Job.CSV) == {"mapping"}
    assert wrong() == {"kind", "format"}
    assert wrong(kind="clients", format=Job.PARQUET, mapping=mapping) == {"format"}


def test_defaults_say_what_is_wrong_with_them() -> None:
    mapping = [ColumnMapping(column="Subject", field="subject")]

    def of(*defaults: tuple[str, str]) -> set[str]:
        values = [DefaultValue(field=field, value=value) for field, value in defaults]
        return wrong(kind="tickets", format=Job.CSV, mapping=mapping, defaults=values)

    assert of(("clientId", "Acme")) == set()
    assert of(("clientId", "Acme"), ("clientId", "Other")) == {"defaults[1].field"}
    assert of(("clientId", "Acme"), ("number", "T-1"), ("priority", "urgent")) == {
        "defaults[1].field", "defaults[2].value",
    }  # fmt: skip


def test_defaults_fill_what_is_empty_and_leave_what_is_not() -> None:
    kind = all_kinds()["tickets"]
    targets = targets_of(kind, [{"column": "S", "field": "subject"}, {"column": "P", "field": "priority"}])
    defaults = defaults_of(kind, [{"field": "priority", "value": "high"}, {"field": "clientId", "value": "Acme"}])
    for cell, expected in (("", 3), ("low", 1)):
        row = rows.read(Record({"S": "x", "P": cell}, None, ""), 1, targets, None, is_text=True)
        rows.fill(row, defaults)
        assert values(row) == {"subject": "x", "priority": expected, "clientId": "Acme"}


def test_times_without_a_zone_are_of_the_imports() -> None:
    kind = all_kinds()["time-entries"]
    targets = targets_of(kind, [{"column": "S", "field": "startedAt"}])
    record = Record({"S": "2026-07-01 09:00"}, None, "")
    assert rows.read(record, 1, targets, None, is_text=True).problems
    [value] = rows.read(record, 1, targets, None, is_text=True, zone=DUBLIN).values.values()
    assert value.isoformat() == "2026-07-01T09:00:00+01:00"


class Anything(dict[str, dict[str, str]]):
    """Knows every external id."""

    class Ids(dict[str, str]):
        def get(self, *_: Any) -> str:
            return "0190b0b0-0000-7000-8000-000000000001"

    def get(self, *_: Any) -> Any:
        return self.Ids()
