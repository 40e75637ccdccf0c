"""Uploads, imports and what they leave, through the front door."""

import csv
import io
from typing import Any

import httpx

from tests.platform import Api, Platform, eventually

CLIENTS = [{"column": "Name", "field": "name"}, {"column": "City", "field": "billingAddress.city"}]
TICKETS = [
    {"column": "Subject", "field": "subject"},
    {"column": "Customer", "field": "clientId"},
    {"column": "Prio", "field": "priority"},
    {"column": "Tags", "field": "tags"},
]
# How long a job may take on a machine that is busy with others.
PATIENCE = 240.0


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


def ended(admin: Api, begun: dict[str, Any], status: str = "succeeded", *, seconds: float = PATIENCE) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = job(admin, begun["id"])
        return found if found["isFinal"] else None

    found = eventually(look, seconds=seconds)
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
