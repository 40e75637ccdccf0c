"""Jobs get on, whatever dies and whatever is away, and what was done is done once."""

import csv
import io
import json
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from devstack.stack import Stack
from kit.database import Database
from kit.errors import Problem
from kit.unit_of_work import unit_of_work
from opsfield.common.v1.page_pb2 import ASC
from opsfield.integrations.v1 import jobs_pb2, uploads_pb2
from opsfield.integrations.v1.jobs_pb2 import Job
from opsfield.ops.v1.clients_pb2 import Client, DeleteClientRequest, ListClientsRequest
from services.integrations.files import Files
from services.integrations.jobs import callers as jobs_callers
from services.integrations.jobs import store
from services.integrations.jobs.steps import Step
from services.integrations.jobs.store import Gain
from services.integrations.jobs.worker import Worker
from services.integrations.tests.caller import Caller
from services.integrations.tests.conftest import QUICK
from tests.callers import eventually

Admin: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


def clients(count: int) -> bytes:
    return "".join(["Id,Name\n", *(f"C-{n},Client {n}\n" for n in range(count))]).encode()


def clients_some_gone(count: int) -> bytes:
    """Every fiftieth is offboarded, which none can be at first."""
    rows = (f"C-{n},Client {n},{'' if n % 50 else 'offboarded'}\n" for n in range(count))
    return "".join(["Id,Name,Status\n", *rows]).encode()


# Of the units of work, the first two are those of the upload and the job itself; then it is taken, its rows are held,
# and recorded, again and again.
@pytest.mark.parametrize(
    "point", ["after-commit:3", "before-commit:4", "after-commit:4", "before-commit:5", "after-commit:5"]
)
async def test_a_crash_at_any_commit_loses_and_doubles_nothing(
    stack: Stack, integrations: Caller, ops: Caller, admin: Admin, point: str
) -> None:
    await stack.stop("integrations")
    await stack.start("integrations", {**QUICK, "CRASH_AT": point})
    try:
        begun = await integrations.import_clients(clients_some_gone(1100))
        assert await stack.wait("integrations") == 137
    finally:
        await stack.start("integrations", QUICK)
    ended = await integrations.ended(begun)
    assert (ended.status, ended.rows_done, ended.rows_created) == (Job.SUCCEEDED, 1100, 1100)
    assert await ops.client_count() == 1100
    assert await ops.client_count(status=Client.OFFBOARDED) == 22
    known = "SELECT count(*) FROM external_ids WHERE workspace_id = $1"
    assert await admin.fetchval(known, integrations.principal.workspace_id) == 1100


async def test_an_export_that_dies_midway_is_whole(
    stack: Stack, integrations: Caller, ops: Caller, admin: Admin
) -> None:
    count = 2100
    assert (await integrations.ended(await integrations.import_clients(clients(count)))).rows_created == count
    names = {f"Client {number}" for number in range(count)}
    for form, point in ((Job.CSV, "after-commit:4"), (Job.PARQUET, "before-commit:4")):
        await stack.stop("integrations")
        await stack.start("integrations", {**QUICK, "CRASH_AT": point})
        try:
            request = jobs_pb2.CreateExportRequest(kind="clients", format=form)
            begun = await integrations.call("CreateExport", request)
            assert await stack.wait("integrations") == 137
            # They are in the file already; all behind them move up.
            assert await admin.fetchval("SELECT rows_done FROM jobs WHERE id = $1", begun.id) > 1000, form
            oldest = ListClientsRequest(limit=3, sort_by="createdAt", sort_order=ASC)
            gone = (await ops.call("ListClients", oldest)).data
            for client in gone:
                await ops.call("DeleteClient", DeleteClientRequest(id=client.id))
        finally:
            await stack.start("integrations", QUICK)
        ended = await integrations.ended(begun)
        assert (ended.status, ended.rows_done, ended.rows_total) == (Job.SUCCEEDED, len(names), len(names))
        assert sorted(names_in(await artifact(stack, admin, ended), form)) == sorted(names)
        names -= {client.name for client in gone}


async def artifact(stack: Stack, admin: Admin, job: Job) -> bytes:
    """Its pieces, put together."""
    pieces = await admin.fetch("SELECT path FROM job_artifact_pieces WHERE job_id = $1 ORDER BY part, number", job.id)
    return b"".join([(stack.layout.artifacts / piece["path"]).read_bytes() for piece in pieces])


def names_in(data: bytes, form: int) -> list[str]:
    if form == Job.PARQUET:
        return [str(name) for name in pq.read_table(pa.BufferReader(data), columns=["name"])["name"].to_pylist()]
    return [line["name"] for line in csv.DictReader(io.StringIO(data.decode()))]


async def test_what_fails_while_ops_is_away_goes_on_where_it_stopped(
    stack: Stack, integrations: Caller, ops: Caller
) -> None:
    await stack.stop("integrations")
    await stack.start("integrations", {**QUICK, "JOB_PATIENCE_SECONDS": "0"})
    await stack.stop("ops")
    try:
        begun = await integrations.import_clients(clients(700))
        failed = await integrations.ended(begun)
    finally:
        await stack.start("ops")
        await stack.stop("integrations")
        await stack.start("integrations", QUICK)
    assert (failed.status, failed.error_code) == (Job.FAILED, "dependency-unavailable")
    await integrations.call("RetryJob", jobs_pb2.RetryJobRequest(id=begun.id))
    ended = await integrations.ended(begun)
    assert (ended.status, ended.rows_created, ended.retry_count) == (Job.SUCCEEDED, 700, 1)
    assert (ended.HasField("error_code"), await ops.client_count()) == (False, 700)


async def test_what_was_sent_too_long_ago_is_not_sent_again(
    stack: Stack, integrations: Caller, ops: Caller, admin: Admin
) -> None:
    begun = await integrations.ended(await integrations.import_clients(b"Id\n1\n"))
    assert (begun.status, begun.error_code) == (Job.FAILED, "columns-missing")
    upload_id = await integrations.upload(clients(3))
    sending = json.dumps({"since": "2020-01-01T00:00:00+00:00", "known": {}})
    await admin.execute(
        "UPDATE jobs SET upload_id = $2, sending = $3::jsonb WHERE id = $1", begun.id, upload_id, sending
    )
    await integrations.call("RetryJob", jobs_pb2.RetryJobRequest(id=begun.id))
    ended = await integrations.ended(begun)
    assert (ended.status, ended.error_code) == (Job.FAILED, "outcome-unknown")
    assert await ops.client_count() == 0


async def test_whoever_has_lost_the_lease_records_nothing(
    stack: Stack, integrations: Caller, database: Database, admin: Admin, workspace: str
) -> None:
    await stack.stop("integrations")
    try:
        async with unit_of_work(database, jobs_callers.of_workspace(workspace), service="integrations") as work:
            added = await store.add(work, of_type="export", kind="clients", in_format="csv")
            other = await store.add(work, of_type="export", kind="clients", in_format="csv")
        taken = []
        for _ in range(2):
            async with unit_of_work(database, jobs_callers.of_workspace(workspace), service="integrations") as work:
                taken.append(await store.take(work, added.id, 60))
                assert await store.take(work, added.id, 60) is None
                assert await store.take(work, other.id, 60) is None, "one at a time in a workspace"
            await admin.execute("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = $1", added.id)
        early, late = taken
        assert early is not None
        assert late is not None
        files = Files("memory:///")
        relay = stack.database_url("integrations", "relay")
        worker = Worker(database, relay, files, lambda job: None, slots=1, lease_seconds=60, patience=0)  # type: ignore[arg-type, return-value]
        step = Step(Gain({"offset": 5}, 5), is_last=True, pieces=[b"x"])
        assert await worker._record(early, step) is None
        assert await worker._end(early, "failed") is None
        recorded = await worker._record(late, step)
        assert recorded is not None
        assert (recorded.rows_done, recorded.status, recorded.artifact_parts) == (5, "succeeded", 1)
    finally:
        await stack.start("integrations", QUICK)


async def test_uploads_that_no_import_uses_are_removed(
    stack: Stack, integrations: Caller, admin: Admin, workspace: str
) -> None:
    unused = await integrations.upload(b"Id,Name\n1,Acme\n")
    used = (await integrations.ended(await integrations.import_clients(clients(2)))).upload_id
    folder = Path(stack.layout.artifacts) / workspace / "uploads"
    assert (folder / unused).exists()
    await admin.execute("UPDATE uploads SET extended_at = now() - interval '25 h' WHERE workspace_id = $1", workspace)

    async def is_gone() -> bool:
        try:
            await integrations.call("GetUpload", uploads_pb2.GetUploadRequest(id=unused))
        except Problem as problem:
            return problem.status == 404
        return False

    await eventually(is_gone)
    assert not list((folder / unused).glob("*"))
    assert (await integrations.call("GetUpload", uploads_pb2.GetUploadRequest(id=used))).size > 0


async def test_files_are_removed_a_while_after_the_end(
    stack: Stack, integrations: Caller, admin: Admin, workspace: str
) -> None:
    done = await integrations.ended(await integrations.import_clients(b"Id,Name\n1,Acme\n2,\n"))
    failed = await integrations.ended(await integrations.import_clients(b"Id\n1\n"))
    young = await integrations.ended(await integrations.import_clients(b"Id,Name\n1,\n"))
    folder = Path(stack.layout.artifacts) / workspace
    left = folder / "jobs" / done.id / "a-lost-lease" / "000000000000-0"
    left.parent.mkdir()
    left.write_bytes(b"x")
    link = jobs_pb2.GetJobArtifactRequest(token=done.artifact_url.rpartition("/")[2])
    assert b"Name" in (await integrations.call("GetJobArtifact", link)).data
    await admin.execute("UPDATE uploads SET extended_at = now() - interval '31 d' WHERE workspace_id = $1", workspace)
    await admin.execute(
        "UPDATE jobs SET completed_at = now() - interval '31 d' WHERE id = ANY($1::uuid[])", [done.id, failed.id]
    )

    async def uploads_left() -> bool:
        return [each.name for each in (folder / "uploads").iterdir() if any(each.iterdir())] == [young.upload_id]

    await eventually(uploads_left)
    assert not list((folder / "jobs" / done.id).glob("*/*"))
    gone = await integrations.job(done)
    assert (gone.artifact_url, gone.artifact_parts, gone.rows_failed) == ("", 0, 1)
    assert gone.HasField("files_removed_at")
    for name, request in (("GetJobArtifact", link), ("RetryJob", jobs_pb2.RetryJobRequest(id=failed.id))):
        with pytest.raises(Problem) as problem:
            await integrations.call(name, request)
        assert problem.value.code == "files-removed"
    assert (await integrations.job(young)).artifact_url
    pieces = "SELECT count(*) FROM job_artifact_pieces WHERE job_id = $1"
    assert await admin.fetchval(pieces, done.id) == 0
    assert await admin.fetchval(pieces, young.id) == 1
