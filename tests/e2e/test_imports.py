"""Imports and exports: what was imported is known again; what is exported is what there is; what is wrong is told where
it is. That every row is counted whoever dies is in tests/faults/test_imports.py."""

import csv
import io
import json
from collections.abc import Iterator

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.imports import CLIENTS, artifact, begin, clients_file, counts, csv_of, ended, total, upload
from tests.platform import Api, Platform, assert_problem, eventually


@pytest.fixture
def admin(platform: Platform) -> Iterator[Api]:
    with platform.api(("data_admin",)) as admin:
        yield admin


def test_a_dry_run_changes_nothing_and_says_what_would_fail(platform: Platform, admin: Api) -> None:
    clients = upload(admin, clients_file(20, 5))
    found = ended(admin, begin(admin, "clients", clients, CLIENTS, dryRun=True, externalIdColumn="Id"))
    assert counts(found) == (20, 15, 0, 5)
    assert len(artifact(platform, found).splitlines()) > 5
    assert total(admin, "clients") == 0
    assert counts(ended(admin, begin(admin, "clients", clients, CLIENTS, externalIdColumn="Id"))) == (20, 15, 0, 5)


def test_what_ops_refuses_is_reported_by_row(platform: Platform, admin: Api) -> None:
    rows = [["Acme"], ["acme"], ["Other"]]
    found = ended(admin, begin(admin, "clients", upload(admin, csv_of(["Name"], *rows)), CLIENTS[:1]))
    assert counts(found) == (3, 2, 0, 1)
    [line] = csv.DictReader(io.StringIO(artifact(platform, found).decode()))
    assert (line["row"], line["record"]) == ("2", "acme")


def test_an_external_id_twice_in_a_file_changes_what_it_made(admin: Api) -> None:
    data = csv_of(["Id", "Name", "City"], ["1", "Acme", "Cork"], ["1", "Acme", "Dublin"], ["2", "Other", ""])
    found = ended(admin, begin(admin, "clients", upload(admin, data), CLIENTS, externalIdColumn="Id"))
    assert counts(found) == (3, 2, 1, 0)
    [client] = admin.get("/clients", params={"q": "acme"}).json()["data"]
    assert client["billingAddress"]["city"] == "Dublin"


def test_a_request_that_makes_no_sense_is_refused_with_paths(admin: Api) -> None:
    upload_id = upload(admin, clients_file(1))
    body = {"kind": "clients", "format": "csv", "uploadId": upload_id, "mapping": CLIENTS}
    for wrong, paths in (
        ({"kind": "unicorns"}, {"kind"}),
        ({"uploadId": "0190b0b0-0000-7000-8000-000000000000"}, {"uploadId"}),
        ({"mapping": [*CLIENTS, {"column": "X", "field": "version"}]}, {"mapping[2].field"}),
        ({"mapping": [*CLIENTS, {"column": "X", "field": "name"}]}, {"mapping[2].field"}),
        ({"mapping": CLIENTS[1:]}, {"mapping"}),
        ({"format": "xlsx"}, {"format"}),
        ({"format": "parquet"}, {"format"}),
    ):
        problem = assert_problem(admin.post("/imports", json={**body, **wrong}), 422, "validation-failed")
        assert {error["path"] for error in problem["errors"]} == paths
    assert_problem(admin.post("/exports", json={"kind": "unicorns", "format": "csv"}), 422, "validation-failed")


def test_parts_must_follow_one_another(admin: Api) -> None:
    headers = {"content-type": "text/csv"}
    upload_id = admin.post("/uploads", content=b"Name\n", headers=headers).json()["id"]
    append = f"/uploads/{upload_id}/append"
    problem = assert_problem(
        admin.post(append, params={"offset": 3}, content=b"x", headers=headers), 409, "offset-mismatch"
    )
    assert problem["errors"] == [{"path": "offset", "message": "must be 5"}]
    for _ in range(2):
        answer = admin.post(append, params={"offset": 5}, content=b"Acme\n", headers=headers)
        assert (answer.status_code, answer.json()["size"]) == (200, 10)
    assert admin.get(f"/uploads/{upload_id}").json()["size"] == 10
    ended(admin, begin(admin, "clients", upload_id, CLIENTS[:1]))
    late = admin.post(append, params={"offset": 10}, content=b"Late\n", headers=headers)
    assert_problem(late, 409, "upload-in-use")


def test_cancel_and_retry(admin: Api) -> None:
    begun = begin(admin, "clients", upload(admin, b"Other\nAcme\n"), CLIENTS[:1])
    failed = ended(admin, begun, "failed")
    assert failed["errorCode"] == "columns-missing"
    assert failed["completedAt"]
    again = admin.post(f"/jobs/{begun['id']}/retry")
    assert (again.status_code, again.json()["status"], again.json()["retryCount"]) == (200, "queued", 1)
    ended(admin, begun, "failed")
    assert_problem(admin.post(f"/jobs/{begun['id']}/cancel"), 409, "illegal-transition")

    begun = begin(admin, "clients", upload(admin, clients_file(3000)), CLIENTS)
    assert admin.post(f"/jobs/{begun['id']}/cancel").status_code == 200
    cancelled = ended(admin, begun, "cancelled")
    assert cancelled["rowsDone"] < 3000
    assert total(admin, "clients") == cancelled["rowsCreated"]
    assert_problem(admin.post(f"/jobs/{begun['id']}/retry"), 409, "illegal-transition")


def test_json_lines_there_and_back(platform: Platform, admin: Api) -> None:
    names = ["Plain", "=1+1", "'=quoted", "-5", 'Zoë, "the"\nbest']
    data = "\n".join(json.dumps({"n": name, "address": {"city": "Cork"}, "extra": 1}) for name in names)
    mapping = [{"column": "n", "field": "name"}, {"column": "address", "field": "billingAddress"}]
    begun = begin(admin, "clients", upload(admin, data.encode() + b'\n{"n": 1.5\n'), mapping, format="jsonl")
    assert counts(ended(admin, begun)) == (6, 5, 0, 1)
    exported = ended(admin, admin.post("/exports", json={"kind": "clients", "format": "parquet"}).json())
    table = pq.read_table(pa.BufferReader(artifact(platform, exported)))
    assert sorted(table["name"].to_pylist()) == sorted(names)
    for form in ("csv", "jsonl"):
        found = ended(admin, admin.post("/exports", json={"kind": "clients", "format": form}).json())
        text = artifact(platform, found).decode()
        if form == "jsonl":
            assert {json.loads(line)["name"] for line in text.splitlines()} == set(names)
        else:
            cells = {line["name"] for line in csv.DictReader(io.StringIO(text, newline=""))}
            assert cells == {"Plain", "'=1+1", "''=quoted", "'-5", names[4]}
    with platform.api(("data_admin",)) as other:
        back = upload(other, artifact(platform, found))
        begun = begin(other, "clients", back, [{"column": "name", "field": "name"}], format="jsonl")
        assert counts(ended(other, begun)) == (5, 5, 0, 0)


def test_another_workspace_sees_nothing_of_it(platform: Platform, admin: Api) -> None:
    upload_id = upload(admin, clients_file(2, 1))
    found = ended(admin, begin(admin, "clients", upload_id, CLIENTS, externalIdColumn="Id"))
    with platform.api(("data_admin",)) as other:
        assert_problem(other.get(f"/jobs/{found['id']}"), 404, "not-found")
        assert_problem(other.post(f"/jobs/{found['id']}/cancel"), 404, "not-found")
        assert_problem(other.get(f"/uploads/{upload_id}"), 404, "not-found")
        assert other.get("/jobs").json()["page"]["total"] == 0
        body = {"kind": "clients", "format": "csv", "uploadId": upload_id, "mapping": CLIENTS}
        assert_problem(other.post("/imports", json=body), 422, "validation-failed")
        # The same external ids are its own.
        mine = begin(other, "clients", upload(other, clients_file(2, 1)), CLIENTS, externalIdColumn="Id")
        assert counts(ended(other, mine)) == (2, 1, 0, 1)
        url = platform.stack.base_url + found["artifactUrl"]
        assert httpx.get(url.replace(admin.workspace, other.workspace)).status_code == 404
        assert httpx.get(url[:-3] + "abc").status_code == 404


def test_who_may_do_and_see_what(platform: Platform, admin: Api) -> None:
    exported = ended(admin, admin.post("/exports", json={"kind": "invoices", "format": "csv"}).json())
    assert exported["artifactUrl"]
    with platform.api(("ops_engineer",), workspace=admin.workspace) as engineer:
        seen = engineer.get(f"/jobs/{exported['id']}")
        assert (seen.status_code, seen.json()["artifactUrl"]) == (200, None)
        listed = engineer.get("/jobs", params={"type": "export", "status": "succeeded", "sortBy": "queuedAt"}).json()
        assert [each["id"] for each in listed["data"]] == [exported["id"]]
        assert_problem(engineer.post("/exports", json={"kind": "clients", "format": "csv"}), 403, "role-missing")
        assert_problem(engineer.post(f"/jobs/{exported['id']}/cancel"), 403, "role-missing")
    records = {"kind": "privileged_action", "q": "CreateExport"}
    eventually(lambda: admin.get("/audit-credentials", params=records).json()["page"]["total"] == 1, seconds=60)
