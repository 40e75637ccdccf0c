"""A Parquet file that is made group by group is read as one, by more than one reader."""

import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf.message import Message

from kit import json_encoding
from opsfield.ops.v1.invoices_pb2 import Invoice
from opsfield.ops.v1.tickets_pb2 import Ticket
from services.integrations.exports.columns import columns_of
from services.integrations.exports.parquet import ParquetWriter, footer_of, footer_size
from services.integrations.ops_kinds import all_kinds


def ticket(number: int) -> Ticket:
    made = Ticket(subject=f"Ticket {number}", priority="HIGH", tags=["a", "b"][: number % 3], tier=1)
    made.description = sha256(str(number).encode()).hexdigest()

    made.created_at.FromDatetime(datetime(2026, 2, 28, 9, 30, number % 60, 123456, tzinfo=UTC))
    return made


async def written(message: type[Message], steps: list[list[Any]]) -> list[bytes]:
    """Pieces, each step's by a writer of its own, as after a crash."""
    pieces: list[bytes] = []

    async def footers() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield footer_of(piece)

    start = 0
    for place, step in enumerate(steps):
        writer = ParquetWriter(message, start=start, footers=footers)
        writer.add(step)
        new = await writer.pieces(is_last=place == len(steps) - 1)
        start = writer.progress["bytes"]
        pieces += new
    return pieces


def rows(pieces: list[bytes]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(pa.BufferReader(b"".join(pieces))).to_pylist()
    return found


@pytest.mark.parametrize("sizes", [[], [0], [1], [3, 4, 5], [700, 1], [2, 0]])
async def test_rows_are_those_of_all_steps_in_order(sizes: list[int], tmp_path: Path) -> None:
    count = sum(sizes)
    tickets = [ticket(number) for number in range(count)]
    steps = [tickets[sum(sizes[:place]) : sum(sizes[: place + 1])] for place in range(len(sizes))] or [[]]
    pieces = await written(Ticket, steps)
    assert [row["subject"] for row in rows(pieces)] == [each.subject for each in tickets]
    path = tmp_path / "tickets.parquet"
    path.write_bytes(b"".join(pieces))
    found = duckdb.execute("SELECT subject FROM read_parquet(?)", [str(path)]).fetchall()
    assert [subject for (subject,) in found] == [each.subject for each in tickets]


async def test_columns_have_types() -> None:
    [row] = rows(await written(Ticket, [[ticket(2)]]))
    assert row["createdAt"] == datetime(2026, 2, 28, 9, 30, 2, 123456, tzinfo=UTC)
    assert (row["priority"], row["tags"], row["tier"], row["contactId"]) == ("high", ["a", "b"], 1, None)
    invoice = Invoice(client_id="c", lines=[{"description": "Work", "quantity": "1.5", "unit_price": "80.00"}])
    [row] = rows(await written(Invoice, [[invoice]]))
    [line] = row["lines"]
    assert (line["description"], line["quantity"], line["unitPrice"]) == ("Work", Decimal("1.5"), Decimal(80))


async def test_a_step_that_is_too_large_for_one_piece_is_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.integrations.exports.parquet.MOST_PART_BYTES", 60_000)
    tickets = [ticket(number) for number in range(6000)]
    pieces = await written(Ticket, [tickets[:4500], tickets[4500:]])
    assert len(pieces) > 3
    assert max(map(len, pieces)) <= 60_000
    assert [row["subject"] for row in rows(pieces)] == [each.subject for each in tickets]


async def test_a_footer_is_known_by_the_end_of_its_piece() -> None:
    [piece, _] = await written(Ticket, [[ticket(1)]])
    assert piece.startswith(b"PAR1")
    assert footer_of(piece[-footer_size(piece[-8:]) :]) == footer_of(piece)


@pytest.mark.parametrize("kind", sorted(all_kinds()))
async def test_every_kind_can_be_written(kind: str) -> None:
    message = all_kinds()[kind].message
    [row] = rows(await written(message, [[message()]]))
    assert list(row) == [column.name for column in columns_of(message.DESCRIPTOR)]
    assert json_encoding.encoder(message.DESCRIPTOR)(message()).keys() >= {name.split(".")[0] for name in row}


def test_nothing_else_of_the_service_needs_pyarrow() -> None:
    code = "import sys, services.integrations.__main__; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
