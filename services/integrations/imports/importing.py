"""Runs an import: reads the next rows, looks up the external ids in them, sends them to ops."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from google.protobuf.message import Message

from kit import clock
from kit.database import Database
from kit.errors import Problem
from kit.unit_of_work import UnitOfWork, unit_of_work
from services.integrations.files import Files
from services.integrations.imports import external_ids, report, rows, rules
from services.integrations.imports.external_ids import Known
from services.integrations.imports.mapping import defaults_of, targets_of
from services.integrations.imports.moves import split_off
from services.integrations.imports.profiles.all import PROFILES
from services.integrations.imports.profiles.profile import Context
from services.integrations.imports.rows import Row
from services.integrations.jobs import callers, store
from services.integrations.jobs.callers import SERVICE
from services.integrations.jobs.steps import JobFailedError, LeaseLostError, Step
from services.integrations.jobs.store import Gain, Job
from services.integrations.ops_client import OpsClient
from services.integrations.ops_kinds import all_kinds
from services.integrations.uploads import store as uploads
from services.integrations.uploads.reading import UploadReader

CHUNK_ROWS = 500
_UPDATES_AT_ONCE = 4
# Ops remembers keys for a day at least; what was sent longer ago is not sent again.
_SURELY_REMEMBERED = timedelta(hours=20)


class Import:
    """One import, run by one worker. Its progress: `offset` and `row` of what comes next, the number of its `chunk`,
    and of a CSV file `columns` and `delimiter`."""

    def __init__(self, job: Job, database: Database, files: Files, ops: OpsClient) -> None:
        self._database = database
        self._files = files
        self._ops = ops
        self._kind = all_kinds()[job.kind]
        self._targets = targets_of(self._kind, job.mapping)
        self._defaults = defaults_of(self._kind, job.defaults)
        self._profile = PROFILES.get(job.profile or "")
        self._zone = _zone(job)
        self._reader: UploadReader | None = None

    async def step(self, job: Job) -> Step:
        reader = await self._open(job)
        progress = job.progress or await self._begin(job, reader)
        data = await reader.read(progress["offset"], rules.MOST_CHUNK_BYTES)
        found, taken, is_last = self._read(job, progress, data, reader.size)
        known = await (self._look_up(job, found) if job.dry_run or not found else self._hold(job, found))
        for row in found:
            rows.resolve(row, job.kind, known)
            if self._profile is not None:
                rows.leave(row, self._profile.only_new)
        created, updated, made = await self._send(job, progress["chunk"], found)
        failed = sum(1 for row in found if row.problems)
        wrong = report.written(found, with_header=job.artifact_parts == 0)
        later = {
            **progress,
            "offset": progress["offset"] + taken,
            "row": progress["row"] + len(found),
            "chunk": progress["chunk"] + 1,
        }
        total = later["row"] - 1 if is_last else None
        gain = Gain(later, len(found), failed=failed, created=created, updated=updated, total=total)

        async def record(work: UnitOfWork, current: Job) -> None:
            await external_ids.add(work, current.kind, made, job_id=current.id)

        return Step(gain, is_last, [wrong] if wrong else [], record)

    async def _open(self, job: Job) -> UploadReader:
        if self._reader is None:
            async with self._database.read(callers.of_job(job)) as session:
                parts = await uploads.parts(session, job.upload_id or "")
            if not parts:
                raise JobFailedError("upload-missing", "What it reads is not there any more.")
            self._reader = UploadReader(self._files, parts)
        return self._reader

    async def _begin(self, job: Job, reader: UploadReader) -> dict[str, Any]:
        start = {"offset": 0, "row": 1, "chunk": 0}
        if job.format == "jsonl":
            return start
        data = await reader.read(0, rules.MOST_CHUNK_BYTES)
        header = rules.read_header(data, is_last=len(data) == reader.size)
        if header is None:
            raise JobFailedError("header-unreadable", "The file does not begin with a header in UTF-8.")
        if self._profile is not None:
            named = sorted(self._profile.required)
        else:
            named = [target.column for target in self._targets]
            if job.external_id_column is not None:
                named.append(job.external_id_column)
        if missing := sorted({each for each in named if each not in header.columns}):
            raise JobFailedError("columns-missing", f"The header lacks {', '.join(missing)}.")
        if twice := sorted({each for each in named if header.columns.count(each) > 1}):
            raise JobFailedError("columns-ambiguous", f"The header has more than one of {', '.join(twice)}.")
        return {**start, "offset": header.size, "columns": header.columns, "delimiter": header.delimiter}

    def _read(self, job: Job, progress: dict[str, Any], data: bytes, size: int) -> tuple[list[Row], int, bool]:
        """The next rows, the bytes they take, and whether they are the last."""
        rest_is_here = progress["offset"] + len(data) == size
        found, taken = self._records(progress, data, CHUNK_ROWS, is_last=rest_is_here)
        if not found and taken == 0 and not (rest_is_here and not data):
            raise JobFailedError("row-too-large", f"The row {progress['row']} has more than 4 MiB.")
        read = [self._row(job, record, progress["row"] + place) for place, record in enumerate(found)]
        if (kept := rows.until_repeated(read)) < len(read):
            # Read once more, to know where the rows that are kept end.
            _, taken = self._records(progress, data, kept, is_last=rest_is_here)
            return read[:kept], taken, False
        return read, taken, progress["offset"] + taken == size

    def _row(self, job: Job, record: rules.Record, number: int) -> Row:
        problems: list[tuple[str, str]] = []
        if self._profile is not None:
            client = next((each["value"] for each in job.defaults if each["field"] == "clientId"), None)
            record, problems = self._profile.translated(record, Context(client, self._zone or UTC))
        is_text = job.format == "csv"
        row = rows.read(record, number, self._targets, job.external_id_column, is_text=is_text, zone=self._zone)
        row.problems[:0] = problems
        if record.values is not None:
            rows.fill(row, self._defaults)
        return row

    def _records(
        self, progress: dict[str, Any], data: bytes, most: int, *, is_last: bool
    ) -> tuple[list[rules.Record], int]:
        if "columns" in progress:
            return rules.read_csv(data, progress["columns"], progress["delimiter"], is_last=is_last, most=most)
        return rules.read_jsonl(data, is_last=is_last, most=most)

    async def _hold(self, job: Job, found: Sequence[Row]) -> Known:
        """Write down what is known of external ids before anything is sent, so that whoever sends it again sends the
        same, whatever has been imported meanwhile."""
        if job.sending is not None:
            if clock.now() - datetime.fromisoformat(job.sending["since"]) > _SURELY_REMEMBERED:
                raise JobFailedError(
                    "outcome-unknown",
                    f"The rows {found[0].number} to {found[-1].number} were sent too long ago to be sent again; "
                    "look whether they are there, and import the rest as a file of its own.",
                )
            held: Known = job.sending["known"]
            return held
        async with unit_of_work(self._database, callers.of_job(job), service=SERVICE) as work:
            current = await store.lock_leased(work, job)
            if current is None:
                raise LeaseLostError
            known = await external_ids.find(work, rows.wanted(found, job.kind))
            await store.set_sending(work, job, {"since": work.now.isoformat(), "known": known})
        return known

    async def _look_up(self, job: Job, found: Sequence[Row]) -> Known:
        async with unit_of_work(self._database, callers.of_job(job), service=SERVICE) as work:
            return await external_ids.find(work, rows.wanted(found, job.kind))

    async def _send(self, job: Job, chunk: int, found: Sequence[Row]) -> tuple[int, int, list[tuple[str, str]]]:
        """How many were created and updated, and the external ids of what was created. What ops refuses becomes a
        problem of its row."""
        ready: list[tuple[Row, Message, list[str]]] = []
        for row in found:
            if not row.problems:
                message, mask = rows.message_of(row, self._kind)
                if not row.problems:
                    ready.append((row, message, mask))
        new = [(row, message) for row, message, _ in ready if row.resource_id is None]
        moves = {row.number: split_off(message, self._kind.name) for row, message in new}
        changed = [each for each in ready if each[0].resource_id is not None]
        made: list[tuple[str, str]] = []
        if not job.dry_run:
            made, resources = await self._create(job, chunk, new)
            await self._update(job, chunk, changed)
            await self._move(
                job,
                chunk,
                [(row, resources[row.number], moves[row.number]) for row, _ in new if row.number in resources],
            )
        created = sum(1 for row, _ in new if not row.problems)
        return created, sum(1 for row, _, _ in changed if not row.problems), made

    async def _create(
        self, job: Job, chunk: int, new: Sequence[tuple[Row, Message]]
    ) -> tuple[list[tuple[str, str]], dict[int, str]]:
        """External ids and their resources; and of all that were created, the resource by the row's number."""
        if not new:
            return [], {}
        results = await self._ops.create(job, f"chunk/{chunk}", self._kind, [message for _, message in new])
        made, resources = [], {}
        for (row, _), result in zip(new, results, strict=True):
            if not result.id:
                row.problems += rows.problems_of(result.problem, self._targets)
                continue
            resources[row.number] = result.id
            if row.external_id is not None:
                made.append((row.external_id, result.id))
        return made, resources

    async def _update(self, job: Job, chunk: int, changed: Sequence[tuple[Row, Message, list[str]]]) -> None:
        gate = asyncio.Semaphore(_UPDATES_AT_ONCE)

        async def one(row: Row, message: Message, mask: list[str]) -> None:
            async with gate:
                await self._change(job, row, f"chunk/{chunk}/row/{row.number}", row.resource_id or "", message, mask)

        await asyncio.gather(*(one(*each) for each in changed))

    async def _move(self, job: Job, chunk: int, created: Sequence[tuple[Row, str, Sequence[Message]]]) -> None:
        """Bring what was created to where it is in the file."""
        gate = asyncio.Semaphore(_UPDATES_AT_ONCE)

        async def one(row: Row, resource_id: str, moves: Sequence[Message]) -> None:
            async with gate:
                for place, message in enumerate(moves):
                    step = f"chunk/{chunk}/row/{row.number}/move/{place}"
                    await self._change(job, row, step, resource_id, message, ["status"])

        await asyncio.gather(*(one(*each) for each in created))

    async def _change(
        self, job: Job, row: Row, step: str, resource_id: str, message: Message, mask: Sequence[str]
    ) -> None:
        try:
            await self._ops.update(job, step, self._kind, resource_id, message, mask)
        except Problem as problem:
            if problem.status >= 500 or problem.retry_after is not None:
                raise
            row.problems += rows.problems_of(problem, self._targets)


def _zone(job: Job) -> tzinfo | None:
    """Of times in the file that say none; None: they are refused. A product's own export says none."""
    if job.time_zone is not None:
        return ZoneInfo(job.time_zone)
    return UTC if job.profile is not None else None
