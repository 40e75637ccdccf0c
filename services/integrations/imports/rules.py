"""The rows of a CSV file (RFC 4180) or of JSON Lines, read from a run of bytes that may end in the midst of one."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, NoReturn

# Half of what a service takes in one message; what is longer than that is no row.
MOST_CHUNK_BYTES = 4 * 1024 * 1024
_DELIMITERS = "\t;,"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Record:
    """A row as it was read. `values`: by column; None where `problem` says why it cannot be read. `text`: as it stands
    in the file."""

    values: dict[str, Any] | None
    problem: str | None
    text: str


@dataclass(frozen=True)
class Header:
    """The first row of a CSV file. `size`: bytes up to the row after it."""

    columns: list[str]
    delimiter: str
    size: int


class Decimal(str):
    """A number with a fraction, as JSON has it: a float would lose digits."""


class _MoreNeededError(Exception):
    """The bytes end in the midst of a row, and the file goes on."""


class _Lines:
    """The lines of a run of bytes. `taken`: bytes so far."""

    def __init__(self, data: bytes, *, is_last: bool, start: int = 0) -> None:
        self._data = data
        self._is_last = is_last
        self.taken = start

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        end = self._data.find(b"\n", self.taken) + 1
        if not end:
            if not self._is_last:
                raise _MoreNeededError
            end = len(self._data)
            if end == self.taken:
                raise StopIteration
        line = self._data[self.taken : end]
        self.taken = end
        return line.decode(errors="surrogateescape")


def read_header(data: bytes, *, is_last: bool) -> Header | None:
    """None when there is none, or it does not end in these bytes."""
    start = len(_BOM) if data.startswith(_BOM) else 0
    lines = _Lines(data, is_last=is_last, start=start)
    try:
        first = next(lines, "")
        while first.count('"') % 2 and (line := next(lines, "")) and len(first) < csv.field_size_limit():
            first += line
        delimiter = _delimiter(first)
        lines.taken = start
        columns = next(csv.reader(lines, delimiter=delimiter, strict=True), None)
    except (csv.Error, _MoreNeededError):
        return None
    if not columns or _is_garbled(columns):
        return None
    return Header([each.strip() for each in columns], delimiter, lines.taken)


def read_csv(
    data: bytes, columns: Sequence[str], delimiter: str, *, is_last: bool, most: int
) -> tuple[list[Record], int]:
    """At most so many rows, and how many bytes they take. Empty lines are no rows."""
    lines = _Lines(data, is_last=is_last)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    found: list[Record] = []
    taken = 0
    while len(found) < most:
        try:
            cells: list[str] | None = next(reader, None)
            problem = None
        except csv.Error as error:
            cells, problem = [], f"cannot be read: {error}"
        except _MoreNeededError:
            break
        text = data[taken : lines.taken].decode(errors="replace").rstrip("\r\n")
        taken = lines.taken
        if cells is None:
            break
        if cells or problem:
            found.append(_record(cells, columns, problem, text))
    return found, taken


def read_jsonl(data: bytes, *, is_last: bool, most: int) -> tuple[list[Record], int]:
    """The same for JSON Lines; a byte order mark may stand before the first."""
    lines = _Lines(data, is_last=is_last)
    found: list[Record] = []
    taken = 0
    while len(found) < most:
        try:
            line = next(lines, None)
        except _MoreNeededError:
            break
        taken = lines.taken
        if line is None:
            break
        line = line.removeprefix("\ufeff").strip()
        if line:
            found.append(_object(line))
    return found, taken


def undefused(text: str) -> str:
    """A text without the apostrophe that an export puts before what a spreadsheet would run."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(("=", "+", "-", "@", "\t", "\r")) else text


def zoned(text: str, zone: tzinfo) -> str:
    """A time that says no zone, as one of that zone; anything else as it is."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return found.replace(tzinfo=zone).isoformat() if found.tzinfo is None else text


def _delimiter(line: str) -> str:
    """Whichever stands most often outside of quotes: of two, the one that is rarer in texts. The comma, where none
    does."""
    outside = "".join(line.split('"')[::2])
    found = max(_DELIMITERS, key=outside.count)
    return found if found in outside else ","


def _record(cells: list[str], columns: Sequence[str], problem: str | None, text: str) -> Record:
    if problem is None and _is_garbled(cells):
        problem = "is not written in UTF-8"
    if problem is None and any(cells[len(columns) :]):
        problem = f"has {len(cells)} cells, the header {len(columns)}"
    if problem is not None:
        return Record(None, problem, text)
    filled = [*cells[: len(columns)], *([""] * (len(columns) - len(cells)))]
    return Record(dict(zip(columns, filled, strict=True)), None, text)


def _is_garbled(cells: Sequence[str]) -> bool:
    return any("\udc80" <= character <= "\udcff" for cell in cells if not cell.isascii() for character in cell)


def _object(line: str) -> Record:
    text = line.encode(errors="surrogateescape").decode(errors="replace")
    if _is_garbled([line]):
        return Record(None, "is not written in UTF-8", text)
    try:
        value = json.loads(line, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_unique)
        # Half of a surrogate pair can be written in JSON, but stands for nothing.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        return Record(None, f"is no JSON: {error}", text)
    if not isinstance(value, dict):
        return Record(None, "is no JSON object", text)
    return Record(value, None, text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found
