"""Exported resources as Apache Parquet. Imported only by what writes it: pyarrow takes some 50 MB.

A Parquet file ends with a footer that says where each group of rows lies, so the file of an export that goes on after a
crash cannot be left to one writer. Here each piece of the artifact is a whole group, written at the place in the file
where it will lie, and followed by its own footer; readers of the whole pass over that. The last piece is a footer made
of all of these."""

import io
import os
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from functools import cache
from tempfile import NamedTemporaryFile
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from kit import contract, json_encoding
from kit.resources.kind import is_decimal
from services.integrations.exports.columns import columns_of
from services.integrations.jobs.rules import MOST_PART_BYTES

MAGIC = b"PAR1"
_INSTANT = pa.timestamp("us", tz="UTC")
# A decimal of the contract has at most four places.
_DECIMAL = pa.decimal128(38, 4)
_NUMBERS = {FieldDescriptor.CPPTYPE_INT32: pa.int32(), FieldDescriptor.CPPTYPE_INT64: pa.int64()}

Convert = Callable[[Any], Any]


class ParquetWriter:
    """`start`: bytes of the file so far; `footers`: of the groups in it, in order."""

    def __init__(self, message: type[Message], *, start: int, footers: Callable[[], AsyncIterator[bytes]]) -> None:
        self._message = message.DESCRIPTOR
        self._encode = json_encoding.encoder(message.DESCRIPTOR)
        self._start = start
        self._footers = footers
        self._resources: list[dict[str, Any]] = []
        self.size = 0

    def add(self, resources: Sequence[Message]) -> None:
        self._resources += map(self._encode, resources)
        self.size += sum(each.ByteSize() for each in resources)

    async def pieces(self, *, is_last: bool) -> list[bytes]:
        pieces = self._groups(self._resources) if self._resources or self._start == 0 else []
        if is_last:
            closing = await self._closing(pieces)
            pieces += [closing[at : at + MOST_PART_BYTES] for at in range(0, len(closing), MOST_PART_BYTES)]
        return pieces

    @property
    def progress(self) -> dict[str, Any]:
        return {"bytes": self._start}

    def _groups(self, resources: Sequence[dict[str, Any]]) -> list[bytes]:
        piece = group(self._message, resources, self._start)
        if len(piece) > MOST_PART_BYTES and len(resources) > 1:
            half = len(resources) // 2
            return [*self._groups(resources[:half]), *self._groups(resources[half:])]
        self._start += len(piece)
        return [piece]

    async def _closing(self, new: Sequence[bytes]) -> bytes:
        whole = None
        async for footer in self._footers():
            whole = _joined(whole, footer)
        for piece in new:
            whole = _joined(whole, footer_of(piece))
        assert whole is not None, "there is a group, if only an empty one"
        out = io.BytesIO()
        whole.write_metadata_file(out)
        return out.getvalue()[len(MAGIC) :]


def group(message: contract.MessageType, resources: Sequence[dict[str, Any]], start: int) -> bytes:
    """A group of rows with its footer, for a file in which it begins at the byte `start`; at 0 the file's first bytes
    stand before it."""
    columns = columns_of(message)
    arrays = [
        pa.array([_convert(column.field)(column.value(each)) for each in resources], type=_type(column.field))
        for column in columns
    ]
    table = pa.Table.from_arrays(arrays, schema=_schema(message))
    with NamedTemporaryFile() as file:
        with pa.OSFile(file.name, "wb") as sink, pq.ParquetWriter(sink, table.schema, compression="zstd") as writer:
            if start:
                # Arrow asks the file where it is: behind a hole of that size the group is where it will lie.
                os.lseek(sink.fileno(), start, os.SEEK_SET)
            writer.write_table(table, row_group_size=max(len(resources), 1))
        file.seek(start)
        return file.read()


def footer_of(piece: bytes) -> bytes:
    """The footer at the end of a piece, or of enough of its end: `footer_size` says how much."""
    return piece[-footer_size(piece) :]


def footer_size(end: bytes) -> int:
    """Bytes of the footer of a piece that ends so, with its own length and the magic word."""
    return int.from_bytes(end[-8:-4], "little") + 8


def _joined(whole: Any, footer: bytes) -> Any:
    found = pq.read_metadata(pa.BufferReader(MAGIC + footer))
    if whole is None:
        return found
    whole.append_row_groups(found)
    return whole


@cache
def _schema(message: contract.MessageType) -> Any:
    return pa.schema([(column.name, _type(column.field)) for column in columns_of(message)])


def _type(field: FieldDescriptor) -> Any:
    return pa.list_(_single_type(field)) if field.is_repeated and not _is_map(field) else _single_type(field)


def _single_type(field: FieldDescriptor) -> Any:
    if field.message_type is None:
        if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            return pa.bool_()
        if is_decimal(field):
            return _DECIMAL
        return _NUMBERS.get(field.cpp_type, pa.string()) if field.enum_type is None else pa.string()
    if field.message_type.full_name == "google.protobuf.Timestamp":
        return _INSTANT
    if _is_json(field):
        return pa.string()
    return pa.struct([(inner.json_name, _type(inner)) for inner in field.message_type.fields])


@cache
def _convert(field: FieldDescriptor) -> Convert:
    """From what `kit.json_encoding` gives to what Arrow takes for the field's type."""
    single = _single_convert(field)
    if not field.is_repeated or _is_map(field):
        return lambda value: None if value is None else single(value)
    return lambda value: None if value is None else [single(each) for each in value]


def _single_convert(field: FieldDescriptor) -> Convert:
    if field.message_type is None:
        return _decimal if is_decimal(field) else _same
    if field.message_type.full_name == "google.protobuf.Timestamp":
        return _same
    if _is_json(field):
        return lambda value: json_encoding.dumps(value).decode()
    inner = [(each.json_name, _convert(each)) for each in field.message_type.fields]
    return lambda value: {name: convert(value[name]) for name, convert in inner}


def _is_json(field: FieldDescriptor) -> bool:
    """What has no fixed parts is a text of JSON."""
    return _is_map(field) or bool(field.message_type and field.message_type.full_name.startswith("google.protobuf."))


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def _decimal(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def _same(value: Any) -> Any:
    return value
