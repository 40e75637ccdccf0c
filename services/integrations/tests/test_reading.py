"""An upload is read as one, however it was cut into parts."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.integrations.files import Files
from services.integrations.uploads.reading import UploadReader
from services.integrations.uploads.store import Part


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=6), st.integers(1, 20), st.integers(1, 20))
async def test_every_byte_is_read_once(pieces: list[bytes], most: int, steps: int) -> None:
    files, parts, start = Files("memory:///"), [], 0
    for piece in pieces:
        await files.put(f"w/{start}", piece)
        parts.append(Part(start, len(piece), f"w/{start}"))
        start += len(piece)
    whole, reader, offset = b"".join(pieces), UploadReader(files, parts), 0
    assert reader.size == len(whole)
    while offset < len(whole):
        data = await reader.read(offset, most)
        assert data == whole[offset : offset + most]
        offset += min(steps, len(data))
    # One that goes on in the midst of it, as after a crash.
    assert await UploadReader(files, parts).read(len(whole) // 2, 100) == whole[len(whole) // 2 :]
