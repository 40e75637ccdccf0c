"""Runs an export: page after page of what ops lists becomes a piece of the file.

Pages are found by their offset, so the last of many costs more than the first (ops reads past all before it). What is
deleted meanwhile lets all behind it move up: so a page begins with the row that was written last, or goes back until it
begins no later. What is created meanwhile comes at the end."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message

from kit.database import Database
from services.integrations.exports.writing import TextWriter, Writer
from services.integrations.files import Files
from services.integrations.jobs import callers, pieces
from services.integrations.jobs.rules import MOST_PART_BYTES
from services.integrations.jobs.steps import Step
from services.integrations.jobs.store import Gain, Job
from services.integrations.ops_client import OpsClient
from services.integrations.ops_kinds import all_kinds

_PAGE_ROWS = 200
_PAGES = 10
_ENOUGH_BYTES = MOST_PART_BYTES // 2
# Of a piece's end: mostly the whole footer is in it.
_END_BYTES = 32 * 1024

Place = tuple[datetime, str]
"""When a row was made and its id: the order of the list."""


class Export:
    """One export, run by one worker. Its progress: the `offset` of the next page, `last`, time and id of the row that
    was written last, and of a Parquet file the `bytes` of its groups so far."""

    def __init__(self, job: Job, database: Database, files: Files, ops: OpsClient) -> None:
        self._database = database
        self._files = files
        self._ops = ops
        self._kind = all_kinds()[job.kind]

    async def step(self, job: Job) -> Step:
        offset, last = job.progress.get("offset", 0), _read_place(job.progress.get("last"))
        writer = self._writer(job)
        total, done, is_last = 0, 0, False
        for _ in range(_PAGES):
            resources, offset, total = await self._following(job, offset, last)
            writer.add(resources)
            done += len(resources)
            last = _place(resources[-1]) if resources else last
            is_last = offset >= total
            if is_last or writer.size > _ENOUGH_BYTES:
                break
        pieces = await writer.pieces(is_last=is_last)
        progress = {"offset": offset, "last": [last[0].isoformat(), last[1]] if last else None, **writer.progress}
        gain = Gain(progress, done, total=job.rows_done + done if is_last else total)
        return Step(gain, is_last, pieces)

    def _writer(self, job: Job) -> Writer:
        message = self._kind.message
        if job.format == "parquet":
            from services.integrations.exports.parquet import ParquetWriter

            return ParquetWriter(message, start=job.progress.get("bytes", 0), footers=lambda: self._footers(job))
        return TextWriter(message, is_csv=job.format == "csv", is_first=not job.progress)

    async def _footers(self, job: Job) -> AsyncIterator[bytes]:
        """Of the pieces that are recorded, in order."""
        from services.integrations.exports.parquet import footer_of, footer_size

        async with self._database.read(callers.of_job(job)) as session:
            paths = await pieces.of_all_parts(session, job.id)
        for path in paths:
            end = await self._files.get_end(path, _END_BYTES)
            if (size := footer_size(end)) > len(end):
                end = await self._files.get_end(path, size)
            yield footer_of(end)

    async def _following(self, job: Job, offset: int, last: Place | None) -> tuple[list[Message], int, int]:
        """Rows that follow the one that was written last; where to go on; how many there are in all."""
        offset = max(offset - 1, 0) if last else offset
        while True:
            found, total = await self._ops.page(job, self._kind, offset=offset, limit=_PAGE_ROWS)
            if offset == 0 or last is None or (found and _place(found[0]) <= last):
                following = [each for each in found if last is None or _place(each) > last]
                return following, offset + len(found), total
            offset = max(offset - _PAGE_ROWS, 0)


def _place(resource: Any) -> Place:
    return resource.created_at.ToDatetime(tzinfo=UTC), resource.id


def _read_place(kept: list[str] | None) -> Place | None:
    return (datetime.fromisoformat(kept[0]), kept[1]) if kept else None
