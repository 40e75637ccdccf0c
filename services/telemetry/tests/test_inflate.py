"""Compressed bodies, within bounds."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Mapping

import pytest
from backports import zstd

from kit.errors import Malformed, TooLarge
from services.telemetry.ingest.inflate import MOST_BYTES, MOST_PARTS, inflate

TEXT = b'{"events": []}' * 1000
COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress, "": bytes}


@pytest.mark.parametrize("encoding", COMPRESS)
def test_what_was_compressed_comes_back(encoding: str) -> None:
    assert inflate(COMPRESS[encoding](TEXT), encoding) == TEXT


@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_body_may_be_as_large_as_the_limit_and_not_one_byte_larger(encoding: str) -> None:
    assert len(inflate(COMPRESS[encoding](TEXT), encoding, len(TEXT))) == len(TEXT)
    with pytest.raises(TooLarge):
        inflate(COMPRESS[encoding](TEXT), encoding, len(TEXT) - 1)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_parts_in_a_row_are_one_body_and_bounded_together(encoding: str) -> None:
    body = COMPRESS[encoding](TEXT) * 3
    assert inflate(body, encoding) == TEXT * 3
    with pytest.raises(TooLarge):
        inflate(body, encoding, len(TEXT) * 3 - 1)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_consists_of_at_most_so_many_parts(encoding: str) -> None:
    part = COMPRESS[encoding](b"x")
    assert inflate(part * MOST_PARTS, encoding) == b"x" * MOST_PARTS
    with pytest.raises(Malformed, match="parts"):
        inflate(part * (MOST_PARTS + 1), encoding)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_parts_that_inflate_to_nothing_count_as_well(encoding: str) -> None:
    with pytest.raises(Malformed, match="parts"):
        inflate(COMPRESS[encoding](b"") * 2000, encoding)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_truncated_body_is_not_taken_for_a_short_one(encoding: str) -> None:
    whole = COMPRESS[encoding](TEXT)
    for length in range(len(whole)):
        with pytest.raises(Malformed):
            inflate(whole[:length], encoding)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_what_is_not_compressed_is_refused(encoding: str) -> None:
    for body in (b"", b"{}", TEXT, COMPRESS[encoding](TEXT) + b"more"):
        with pytest.raises(Malformed):
            inflate(body, encoding)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_is_cut_off_while_it_is_inflated(encoding: str) -> None:
    bomb = _gzip_bomb() if encoding == "gzip" else _zstd_bomb()
    assert len(bomb) < MOST_BYTES
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            inflate(bomb, encoding)
        assert tracemalloc.get_traced_memory()[1] < 3 * MOST_BYTES
    finally:
        tracemalloc.stop()


def _gzip_bomb() -> bytes:
    compressor = zlib.compressobj(9, wbits=31)
    return b"".join(compressor.compress(bytes(2**20)) for _ in range(1000)) + compressor.flush()


def _zstd_bomb() -> bytes:
    compressor = zstd.ZstdCompressor()
    return b"".join(compressor.compress(bytes(2**20)) for _ in range(1000)) + compressor.flush()
