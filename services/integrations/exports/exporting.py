"""Runs an export: page after page of what ops lists becomes a piece of the file.

Pages are found by their offset, so the last of many costs more than the first (ops reads past all before it), and what
is deleted meanwhile may let one that follows it slip through; what is created meanwhile comes at the end."""

import csv
import io
from collections.abc import Sequence

from google.protobuf.message import Message

from kit import json_encoding
from kit.errors import Invalid
from services.integrations.exports.columns import Column, columns_of
from services.integrations.jobs.rules import MOST_PART_BYTES
from services.integrations.jobs.steps import Step
from services.integrations.jobs.store import Gain, Job
from services.integrations.ops_client import OpsClient
from services.integrations.ops_kinds import all_kinds

_PAGE_ROWS = 200
_PAGES = 10
_ENOUGH_BYTES = MOST_PART_BYTES // 2


class Export:
    """One export, run by one worker. Its progress: the `offset` of the next page."""

    def __init__(self, job: Job, ops: OpsClient) -> None:
        self._ops = ops
        self._kind = all_kinds()[job.kind]

    async def step(self, job: Job) -> Step:
        start = offset = job.progress.get("offset", 0)
        lines = self._header(job) if offset == 0 else []
        total, is_last = 0, False
        for _ in range(_PAGES):
            resources, total = await self._page(job, offset)
            lines += self._lines(job, resources)
            offset += len(resources)
            is_last = not resources or offset >= total
            if is_last or sum(map(len, lines)) > _ENOUGH_BYTES:
                break
        gain = Gain({"offset": offset}, offset - start, total=offset if is_last else total)
        return Step(gain, is_last, _pieces(lines))

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

    def _header(self, job: Job) -> list[bytes]:
        return [_row([each.name for each in self._columns])] if job.format == "csv" else []

    @property
    def _columns(self) -> Sequence[Column]:
        return columns_of(self._kind.message.DESCRIPTOR)

    def _lines(self, job: Job, resources: Sequence[Message]) -> list[bytes]:
        encode = json_encoding.encoder(self._kind.message.DESCRIPTOR)
        if job.format == "jsonl":
            return [json_encoding.dumps(encode(each)) + b"\n" for each in resources]
        return [_row([column.of(encoded) for column in self._columns]) for encoded in map(encode, resources)]


def _row(cells: Sequence[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue().encode()


def _pieces(lines: Sequence[bytes]) -> list[bytes]:
    """Whole lines together, each piece at most as large as a part."""
    pieces: list[bytes] = []
    held: list[bytes] = []
    size = 0
    for line in lines:
        if held and size + len(line) > MOST_PART_BYTES:
            pieces.append(b"".join(held))
            held, size = [], 0
        held.append(line)
        size += len(line)
    return [*pieces, b"".join(held)] if held else pieces
