"""Runs an export: page after page of what ops lists becomes a piece of the file.

Pages are found by their offset, so the last of many costs more than the first (ops reads past all before it), and what
is deleted meanwhile may let one that follows it slip through; what is created meanwhile comes at the end."""

from collections.abc import AsyncIterator

from google.protobuf.message import Message

from kit.database import Database
from kit.errors import Invalid
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


class Export:
    """One export, run by one worker. Its progress: the `offset` of the next page, and of a Parquet file the `bytes` of
    its groups so far."""

    def __init__(self, job: Job, database: Database, files: Files, ops: OpsClient) -> None:
        self._database = database
        self._files = files
        self._ops = ops
        self._kind = all_kinds()[job.kind]

    async def step(self, job: Job) -> Step:
        start = offset = job.progress.get("offset", 0)
        writer = self._writer(job)
        total, is_last = 0, False
        for _ in range(_PAGES):
            resources, total = await self._page(job, offset)
            writer.add(resources)
            offset += len(resources)
            is_last = not resources or offset >= total
            if is_last or writer.size > _ENOUGH_BYTES:
                break
        pieces = await writer.pieces(is_last=is_last)
        progress = {"offset": offset, **writer.progress}
        gain = Gain(progress, offset - start, total=offset if is_last else total)
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

    async def _page(self, job: Job, offset: int) -> tuple[list[Message], int]:
        limit = _PAGE_ROWS
        while True:
            try:
                return await self._ops.page(job, self._kind, offset=offset, limit=limit)
            except Invalid:
                # So many of them are more than fits into one answer.
                if limit == 1:
                    raise
                limit //= 2
