"""Messages as the JSON of the contract: camelCase, enum words in lower case, RFC 3339 UTC times, 64-bit integers as
numbers, unset as null.

protobuf's own JSON mapping differs in each of these and walks the descriptor for every message; here one function
per message type is compiled once, so that a page of 50 costs well under a millisecond.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from kit import contract, structs

Encoder = Callable[[Any], dict[str, Any]]

_TIMESTAMP = Timestamp.DESCRIPTOR.full_name
_STRUCT = Struct.DESCRIPTOR.full_name
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def dumps(value: Any) -> bytes:
    """JSON text; times as RFC 3339 with `Z`."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def encode(message: Message) -> bytes:
    """The message as JSON text."""
    return dumps(encoder(message.DESCRIPTOR)(message))


@cache
def encoder(descriptor: Descriptor, *, redacted: bool = False) -> Encoder:
    """The function that turns messages of this type into what `dumps` takes. `redacted` leaves out sensitive fields,
    for events and audit records."""
    namespace: dict[str, Any] = {"instant": _instant, "to_json": structs.to_json}
    fields = [field for field in descriptor.fields if not (redacted and contract.field_options(field).sensitive)]
    items = [f"{field.json_name!r}: {_expression(field, namespace, redacted)}" for field in fields]
    source = f"def encode(m):\n    return {{{', '.join(items)}}}\n"
    exec(compile(source, f"<encoder of {descriptor.full_name}>", "exec"), namespace)  # noqa: S102 - from our own protos  # nosec B102
    function: Encoder = namespace["encode"]
    return function


def _expression(field: FieldDescriptor, namespace: dict[str, Any], redacted: bool) -> str:
    value = f"m.{field.name}"
    if field.message_type and field.message_type.GetOptions().map_entry:
        return f"dict({value})"
    if field.is_repeated:
        return (
            f"[{_single(field, 'each', namespace, redacted)} for each in {value}]"
            if _converts(field)
            else f"list({value})"
        )
    single = _single(field, value, namespace, redacted)
    return f"{single} if m.HasField({field.name!r}) else None" if field.has_presence else single


def _converts(field: FieldDescriptor) -> bool:
    return bool(field.message_type or field.enum_type)


def _single(field: FieldDescriptor, value: str, namespace: dict[str, Any], redacted: bool) -> str:
    if field.message_type is not None:
        if field.message_type.full_name == _TIMESTAMP:
            return f"instant({value})"
        if field.message_type.full_name == _STRUCT:
            return f"to_json({value})"
        name = f"encode_{field.name}"
        namespace[name] = encoder(field.message_type, redacted=redacted)
        return f"{name}({value})"
    if field.enum_type is not None:
        name = f"words_{field.name}"
        namespace[name] = {number: word for word, number in contract.enum_words(field).items()}.get
        return f"{name}({value})"
    return value


def _instant(timestamp: Timestamp) -> datetime:
    # Whole numbers: a float would lose microseconds.
    return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)
