"""What service and worker say to each other over pipes: JSON, each message behind its length."""

import asyncio
import json
from typing import IO, Any

# A message's length, in bytes, big-endian.
_LENGTH = 4
MOST_BYTES = 16 * 1024 * 1024

Json = dict[str, Any]


class TooLong(Exception):
    """A message is longer than any may be."""


def pack(message: Json) -> bytes:
    """Raises ValueError or TypeError for what is no JSON (NaN and lone surrogates are none), TooLong."""
    body = json.dumps(message, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    if len(body) > MOST_BYTES:
        raise TooLong(f"{len(body)} bytes are more than {MOST_BYTES}")
    return len(body).to_bytes(_LENGTH) + body


async def receive(stream: asyncio.StreamReader) -> Json:
    """The service's side. Raises IncompleteReadError when the worker is gone, TooLong."""
    length = int.from_bytes(await stream.readexactly(_LENGTH))
    if length > MOST_BYTES:
        raise TooLong(f"{length} bytes are more than {MOST_BYTES}")
    message: Json = json.loads(await stream.readexactly(length))
    return message


def read(stream: IO[bytes]) -> Json | None:
    """The worker's side; None when the service is gone."""
    head = stream.read(_LENGTH)
    if len(head) < _LENGTH:
        return None
    message: Json = json.loads(stream.read(int.from_bytes(head)))
    return message


def write(stream: IO[bytes], packed: bytes) -> None:
    stream.write(packed)
    stream.flush()
