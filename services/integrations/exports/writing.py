"""How exported resources become bytes: the lines of a CSV or JSON Lines file. Parquet stands in `parquet.py`."""

import csv
import io
from collections.abc import Sequence
from typing import Any, Protocol

from google.protobuf.message import Message

from kit import json_encoding
from services.integrations.exports.columns import columns_of
from services.integrations.jobs.rules import MOST_PART_BYTES


class Writer(Protocol):
    """Takes the resources of one step. `size`: bytes so far, about."""

    size: int

    def add(self, resources: Sequence[Message]) -> None: ...

    async def pieces(self, *, is_last: bool) -> list[bytes]:
        """What the file goes on with, in order, each at most as large as a part."""
        ...

    @property
    def progress(self) -> dict[str, Any]:
        """What the next step's writer has to know, once `pieces` are made."""
        ...


class TextWriter:
    """`columns`: of a CSV file; None writes JSON Lines."""

    def __init__(self, message: type[Message], *, is_csv: bool, is_first: bool) -> None:
        self._encode = json_encoding.encoder(message.DESCRIPTOR)
        self._columns = columns_of(message.DESCRIPTOR) if is_csv else None
        self._lines: list[bytes] = []
        self.size = 0
        if self._columns is not None and is_first:
            self._append(_row([each.name for each in self._columns]))

    def add(self, resources: Sequence[Message]) -> None:
        for encoded in map(self._encode, resources):
            if self._columns is None:
                self._append(json_encoding.dumps(encoded) + b"\n")
            else:
                self._append(_row([column.of(encoded) for column in self._columns]))

    async def pieces(self, *, is_last: bool) -> list[bytes]:
        del is_last
        return joined(self._lines)

    @property
    def progress(self) -> dict[str, Any]:
        return {}

    def _append(self, line: bytes) -> None:
        self._lines.append(line)
        self.size += len(line)


def joined(lines: Sequence[bytes]) -> list[bytes]:
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


def _row(cells: Sequence[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue().encode()
