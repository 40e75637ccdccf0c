"""Compressed bodies, inflated within bounds: what would become too large is cut off while it is inflated."""

import zlib
from collections.abc import Callable
from typing import Protocol

from backports import zstd

from kit.errors import Malformed, TooLarge

MOST_BYTES = 8 * 1024 * 1024
# Senders write one. Each costs a copy of all that follows it, also one that inflates to nothing.
MOST_PARTS = 64
# 8 MiB: what a decompressor must be ready for (RFC 8878, 3.1.1.1.2).
_ZSTD_WINDOW_LOG = 23


class _Decompressor(Protocol):
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...


def inflate(data: bytes, encoding: str, most_bytes: int = MOST_BYTES) -> bytes:
    """The body as it was before it was compressed. `encoding`: "gzip", "zstd", or empty for none. Raises TooLarge, and
    Malformed for one that is damaged, ends too early or consists of too many parts."""
    if not encoding:
        if len(data) > most_bytes:
            raise _too_large(most_bytes)
        return data
    parts: list[bytes] = []
    left = most_bytes
    try:
        # Both formats may consist of several compressed parts, one after the other.
        while data or not parts:
            if len(parts) == MOST_PARTS:
                raise Malformed(f"The body consists of more than {MOST_PARTS} parts.", code="body-in-too-many-parts")
            decompressor = _DECOMPRESSORS[encoding]()
            part = decompressor.decompress(data, left + 1)
            if len(part) > left:
                raise _too_large(most_bytes)
            if not decompressor.eof:
                raise Malformed("The compressed body ends too early.", code="body-incomplete")
            parts.append(part)
            left -= len(part)
            data = decompressor.unused_data
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise Malformed(f"The body cannot be inflated with {encoding}.", code="body-not-inflatable") from error
    return b"".join(parts)


def _gzip() -> _Decompressor:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


def _zstd() -> _Decompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})


_DECOMPRESSORS: dict[str, Callable[[], _Decompressor]] = {"gzip": _gzip, "zstd": _zstd}


def _too_large(most_bytes: int) -> TooLarge:
    return TooLarge(f"The body may have at most {most_bytes} bytes, also after it is inflated.")
