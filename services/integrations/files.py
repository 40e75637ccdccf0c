"""Where files lie: a folder, a bucket, or memory (obstore). Each object is written once and then only read."""

from collections.abc import Iterator
from contextlib import contextmanager

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from kit.errors import Unavailable
from kit.logs import get_logger

_RETRY_SECONDS = 5

log = get_logger(__name__)


class Files:
    """`url`: `file:///folder`, `s3://bucket/prefix`, `memory:///`. Paths begin with the workspace's id."""

    def __init__(self, url: str) -> None:
        """Raises ValueError or OSError when that is no place for files."""
        self._store = from_url(url, mkdir=True) if url.startswith("file:") else from_url(url)

    async def put(self, path: str, data: bytes) -> None:
        """Raises Unavailable."""
        with _reached():
            await obstore.put_async(self._store, path, data)

    async def get(self, path: str) -> bytes:
        """Raises Unavailable, also when it is not there: what is asked for was written before."""
        with _reached():
            found = await obstore.get_async(self._store, path)
            return bytes(await found.bytes_async())

    async def get_range(self, path: str, start: int, size: int) -> bytes:
        """So many bytes from there on; they are there. Raises Unavailable."""
        with _reached():
            return bytes(await obstore.get_range_async(self._store, path, start=start, length=size))

    async def get_end(self, path: str, size: int) -> bytes:
        """The last `size` bytes, or all if there are less. Raises Unavailable."""
        with _reached():
            found = await obstore.get_async(self._store, path, options={"range": {"suffix": size}})
            return bytes(await found.bytes_async())

    async def delete(self, folder: str) -> None:
        """Delete all that lies in a folder. Raises Unavailable."""
        with _reached():
            listed = await obstore.list(self._store, prefix=folder).collect_async()
            if listed:
                await obstore.delete_async(self._store, [each["path"] for each in listed])


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        log.warning("files cannot be reached", error=f"{type(error).__name__}: {error}")
        raise Unavailable("Files cannot be read or written just now; try again.", retry_after=_RETRY_SECONDS) from error
