"""Imports and exports: every row is counted, whoever dies; what was imported is known again; what is exported is what
there is."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.platform import Api, Platform, assert_problem, eventually

CLIENTS = [{"column": "Name", "field": "name"}, {"column": "City", "field": "billingAddress.city"}]
TICKETS = [
    {"column": "Subject", "field": "subject"},
    {"column": "Customer", "field": "clientId"},
    {"column": "Prio", "field": "priority"},
    {"column": "Tags", "field": "tags"},
]
# How long a job may take on a machine that is busy with others.
PATIENCE = 240.0


@pytest.fixture
def admin(platform: Platform) -> Iterator[Api]:
    with platform.api(("data_admin",)) as admin:
        yield admin


def csv_of(*rows: list[str], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode()


def clients_file(count: int, bad: int = 0) -> bytes:
    """The last `bad` of the clients have no name."""
    rows = [[f"C-{n}", f"Client {n}" if n < count - bad else "", f"City\n{n}"] for n in range(count)]
    return b"\xef\xbb\xbf" + csv_of(["Id", "Name", "City"], *rows, delimiter=";")


def upload(admin: Api, data: bytes, parts: int = 1) -> str:
    size = -(-len(data) // parts)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    headers = {"content-type": "text/csv"}
    answer = admin.post("/uploads", content=pieces[0], headers=headers)
    assert answer.status_code == 201, answer.text
    upload_id, offset = answer.json()["id"], len(pieces[0])
    for piece in pieces[1:]:
        answer = admin.post(f"/uploads/{upload_id}/append", params={"offset": offset}, content=piece, headers=headers)
        assert answer.status_code == 200, answer.text
        offset += len(piece)
    assert answer.json()["size"] == len(data)
    return str(upload_id)


def begin(admin: Api, kind: str, upload_id: str, mapping: list[dict[str, str]], **fields: Any) -> dict[str, Any]:
    body = {"kind": kind, "format": "csv", "uploadId": upload_id, "mapping": mapping, **fields}
    answer = admin.post("/imports", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/v1/jobs/{answer.json()['id']}"
    return dict(answer.json())


def job(admin: Api, job_id: str) -> dict[str, Any]:
    answer = admin.get(f"/jobs/{job_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ended(admin: Api, begun: dict[str, Any], status: str = "succeeded") -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = job(admin, begun["id"])
        return found if found["isFinal"] else None

    found = eventually(look, seconds=PATIENCE)
    assert found is not None
    assert found["status"] == status, found
    assert found["rowsDone"] == found["rowsCreated"] + found["rowsUpdated"] + found["rowsFailed"] or (
        found["type"] == "export"
    )
    return found


def counts(found: dict[str, Any]) -> tuple[int, int, int, int]:
    return found["rowsDone"], found["rowsCreated"], found["rowsUpdated"], found["rowsFailed"]


def artifact(platform: Platform, found: dict[str, Any]) -> bytes:
    url = f"{platform.stack.base_url}{found['artifactUrl']}"
    answers = [httpx.get(url, params={"part": part}) for part in range(found["artifactParts"])]
    assert {answer.status_code for answer in answers} == {200}
    assert httpx.get(url, params={"part": len(answers)}).status_code == 404
    return b"".join(answer.content for answer in answers)


def total(api: Api, kind: str) -> int:
    return int(api.get(f"/{kind}", params={"limit": 1}).json()["page"]["total"])


def kill_midway(platform: Platform, admin: Api, begun: dict[str, Any], rows: int) -> None:
    """Kill -9 once so many rows are done, and start again."""
    eventually(lambda: job(admin, begun["id"])["rowsDone"] >= rows, seconds=PATIENCE)
    platform.kill("integrations")
    platform.start("integrations")


def test_clients_then_tickets_with_kills_and_bad_rows(platform: Platform, admin: Api) -> None:
    count, bad = 3000, 30
    clients = upload(admin, clients_file(count, bad), parts=3)
    begun = begin(admin, "clients", clients, CLIENTS, externalIdColumn="Id")
    kill_midway(platform, admin, begun, 500)
    found = ended(admin, begun)
    assert counts(found) == (count, count - bad, 0, bad)
    assert (found["rowsTotal"], found["errorCode"], found["retryCount"]) == (count, None, 0)
    assert total(admin, "clients") == count - bad
    report = list(csv.DictReader(io.StringIO(artifact(platform, found).decode())))
    assert [int(line["row"]) for line in report] == list(range(count - bad + 1, count + 1))
    assert {line["column"] for line in report} == {"Name"}
    assert "C-2999" in report[-1]["record"]

    rows = [
        [f"T-{n}", f"Ticket {n}", f"C-{n % (count - bad)}" if n % 100 else "nobody", "high", "a;b"]
        for n in range(count)
    ]
    tickets = upload(admin, csv_of(["Key", "Subject", "Customer", "Prio", "Tags"], *rows))
    begun = begin(admin, "tickets", tickets, TICKETS, externalIdColumn="Key")
    kill_midway(platform, admin, begun, 1000)
    found = ended(admin, begun)
    assert counts(found) == (count, count - bad, 0, bad)
    assert total(admin, "tickets") == count - bad
    assert total(admin, "tickets?priority=high") == count - bad
    [report_line, *_] = csv.DictReader(io.StringIO(artifact(platform, found).decode()))
    assert (report_line["row"], report_line["column"]) == ("1", "Customer")
    [ticket] = admin.get("/tickets", params={"q": "Ticket 2999"}).json()["data"]
    client = admin.get(f"/clients/{ticket['clientId']}").json()
    assert (client["name"], client["billingAddress"]["city"], ticket["tags"]) == ("Client 29", "City\n29", ["a", "b"])

    again = ended(admin, begin(admin, "clients", clients, CLIENTS, externalIdColumn="Id"))
    assert counts(again) == (count, 0, count - bad, bad)
    assert total(admin, "clients") == count - bad

    exported = admin.post("/exports", json={"kind": "clients", "format": "csv"})
    assert exported.status_code == 202
    found = ended(admin, exported.json())
    lines = list(csv.DictReader(io.StringIO(artifact(platform, found).decode())))
    assert (found["rowsDone"], found["rowsTotal"]) == (count - bad, count - bad)
    expected = sorted((f"Client {n}", f"City\n{n}") for n in range(count - bad))
    assert sorted((line["name"], line["billingAddress.city"]) for line in lines) == expected
    assert len({line["id"] for line in lines}) == count - bad


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
