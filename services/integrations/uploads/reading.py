"""An upload as one run of bytes, of which no more is held than is needed."""

from collections.abc import Sequence

from services.integrations.files import Files
from services.integrations.uploads.store import Part


class UploadReader:
    """Reads forward. Holds a part and what is left of the one before: some 16 MiB at most."""

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
            data = await self._files.get(part.path)
            self._held += data[end - part.start :]
        return self._held[:most]
