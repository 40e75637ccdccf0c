"""An upload as one run of bytes, of which no more is held than is needed."""

from collections.abc import Sequence

from services.integrations.files import Files
from services.integrations.uploads.store import Part

_BLOCK = 1024 * 1024


class UploadReader:
    """Reads forward. Holds what was asked for last, and a block more at most."""

    def __init__(self, files: Files, parts: Sequence[Part]) -> None:
        self._files = files
        self._parts = parts
        self._base = 0
        self._held = b""
        self.size = parts[-1].start + parts[-1].size if parts else 0

    async def read(self, offset: int, most: int) -> bytes:
        """The bytes from `offset` on, `most` of them unless it ends before. Raises Unavailable."""
        if not self._base <= offset <= self._base + len(self._held):
            self._base, self._held = offset, b""
        self._held = self._held[offset - self._base :]
        self._base = offset
        while len(self._held) < most and (end := self._base + len(self._held)) < self.size:
            part = next(each for each in self._parts if each.start <= end < each.start + each.size)
            place = end - part.start
            wanted = min(max(most - len(self._held), _BLOCK), part.size - place)
            self._held += await self._files.get_range(part.path, place, wanted)
        return self._held[:most]
