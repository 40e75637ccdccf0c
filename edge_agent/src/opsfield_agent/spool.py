"""Batches on their way: files that are written before they are sent and removed after they are taken.

A file is named `<sequence>.<events>.<key>.batch`, so that names sort in the order of writing. When the disk takes no
more, the newest batches wait in memory.
"""

import contextlib
import errno
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from opsfield_agent import files
from opsfield_agent.batch import Batch

log = logging.getLogger(__name__)

_ENDING = ".batch"
_BLOCK = 4096
_MOST_REJECTED_BYTES = 4 * 1024 * 1024
# A file that lies on a bad sector must not hold up all that wait behind it.
_MOST_READS = 5
_TROUBLE_OF_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_MOST_MEMORY_BYTES = 2 * 1024 * 1024


@dataclass(slots=True, eq=False)
class Spooled:
    """A batch that waits; `batch` is set while it could not be written, `failed_reads` counts how often it could not be
    read."""

    sequence: int
    name: str
    events: int
    size: int
    batch: Batch | None = None
    failed_reads: int = 0


class Spool:
    """A queue on disk with one writer and one reader, which may be two threads."""

    def __init__(
        self,
        directory: Path,
        rejected: Path,
        *,
        most_bytes: int,
        most_seconds: float,
        dropped: Callable[[int, int], None],
    ) -> None:
        """Open it, as the only one who does. `dropped` hears how many batches and events had to go. Raises OSError."""
        self._directory = directory
        self._rejected = rejected
        self._most_bytes = most_bytes
        self._most_seconds = most_seconds
        self._dropped = dropped
        self._lock = threading.RLock()
        self._disk_is_full = False
        files.make_private(directory)
        files.remove_temporary(directory)
        self._waiting: deque[Spooled] = deque(_scan(directory))
        self._bytes = sum(each.size for each in self._waiting)
        self._last = self._waiting[-1].sequence if self._waiting else 0

    def append(self, batch: Batch) -> None:
        """Keep the batch until it is taken, in place of the oldest ones if there are too many."""
        with self._lock:
            self._last += 1
            name = f"{self._last:012}.{batch.events}.{batch.key}{_ENDING}"
            self._waiting.append(Spooled(self._last, name, batch.events, _blocks(len(batch.body)), batch))
            self._bytes += self._waiting[-1].size
            self._write_what_is_in_memory()
            self._bound()

    def oldest(self) -> Spooled | None:
        """The batch to be sent next, None when all are taken."""
        with self._lock:
            return self._waiting[0] if self._waiting else None

    def load(self, spooled: Spooled) -> Batch | None:
        """Its bytes; None when it is gone, damaged or cannot be read for good, which is the end of it. Raises OSError
        when it may be read later."""
        with self._lock:
            if spooled.batch is not None:
                return spooled.batch
            try:
                return Batch.from_file((self._directory / spooled.name).read_bytes())
            except FileNotFoundError:
                self._forget(spooled)
            except OSError as error:
                if error.errno in _TROUBLE_OF_OURS:
                    raise
                spooled.failed_reads += 1
                if spooled.failed_reads < _MOST_READS:
                    raise
                log.error("Batch %s is put aside, it cannot be read: %s", spooled.name, error)
                self.reject(spooled)
            except ValueError as error:
                log.error("Batch %s is put aside: %s", spooled.name, error)
                self.reject(spooled)
            return None

    def remove(self, spooled: Spooled) -> None:
        """It was taken."""
        with self._lock:
            try:
                (self._directory / spooled.name).unlink(missing_ok=True)
                # Otherwise a power cut could bring it back, long after the platform has forgotten its key.
                files.sync(self._directory)
            except OSError as error:
                log.error("Batch %s was sent, but cannot be removed: %s", spooled.name, error)
            # In any case: to send it for ever would not help.
            self._forget(spooled)

    def reject(self, spooled: Spooled) -> None:
        """It will never be taken: put it aside, for whoever looks into why."""
        with self._lock:
            try:
                files.make_private(self._rejected)
                if spooled.batch is None:
                    (self._directory / spooled.name).replace(self._rejected / spooled.name)
                self._bound_rejected()
            except OSError as error:
                log.error("Batch %s cannot be put aside: %s", spooled.name, error)
            self._forget(spooled)

    def _bound_rejected(self) -> None:
        aside = _scan(self._rejected)
        excess = sum(each.size for each in aside) - _MOST_REJECTED_BYTES
        for each in aside:
            if excess <= 0:
                return
            (self._rejected / each.name).unlink(missing_ok=True)
            excess -= each.size

    def _write_what_is_in_memory(self) -> None:
        for each in self._waiting_in_memory():
            assert each.batch is not None
            try:
                files.write(self._directory / each.name, each.batch.to_file())
            except OSError as error:
                if not self._disk_is_full:
                    log.error("Batches cannot be written and wait in memory: %s", error)
                self._disk_is_full = True
                return
            each.batch = None
        if self._disk_is_full:
            log.info("Batches can be written again")
        self._disk_is_full = False

    def _waiting_in_memory(self) -> list[Spooled]:
        # Those are the newest: older ones are written first.
        found = []
        for each in reversed(self._waiting):
            if each.batch is None:
                break
            found.append(each)
        return found[::-1]

    def _bound(self) -> None:
        in_memory = self._waiting_in_memory()
        excess = sum(each.size for each in in_memory) - _MOST_MEMORY_BYTES
        drop = []
        for each in in_memory[:-1]:
            if excess <= 0:
                break
            drop.append(each)
            excess -= each.size
        excess = self._bytes - sum(each.size for each in drop) - self._most_bytes
        for each in list(self._waiting)[:-1] if excess > 0 else []:
            if excess <= 0:
                break
            if each not in drop:
                drop.append(each)
                excess -= each.size
        self._drop(drop, "there are too many")
        while self._waiting and self._age(self._waiting[0]) > self._most_seconds:
            self._drop([self._waiting[0]], "they are too old")

    def _age(self, spooled: Spooled) -> float:
        if spooled.batch is not None:
            return spooled.batch.age()
        try:
            with (self._directory / spooled.name).open("rb") as file:
                return Batch.from_file(file.readline() + b".").age()
        except (OSError, ValueError):
            return 0.0  # Sending will find out.

    def _drop(self, drop: list[Spooled], why: str) -> None:
        for each in drop:
            try:
                (self._directory / each.name).unlink(missing_ok=True)
            except OSError as error:
                log.error("Batch %s cannot be removed: %s", each.name, error)
            self._forget(each)
        if drop:
            events = sum(each.events for each in drop)
            log.warning("Batches were dropped because %s: %d with %d events", why, len(drop), events)
            self._dropped(len(drop), events)

    def _forget(self, spooled: Spooled) -> None:
        if self._waiting and self._waiting[0] is spooled:
            self._waiting.popleft()
        elif spooled in self._waiting:
            self._waiting.remove(spooled)
        else:
            return
        self._bytes -= spooled.size


def size(directory: Path) -> tuple[int, int]:
    """How many batches wait in a spool's directory, and their bytes on disk. Raises OSError."""
    waiting = _scan(directory) if directory.is_dir() else []
    return len(waiting), sum(each.size for each in waiting)


def _scan(directory: Path) -> list[Spooled]:
    found = []
    for path in directory.glob("*" + _ENDING):
        parts = path.name.split(".")
        if len(parts) == 4 and parts[0].isdecimal() and parts[1].isdecimal():
            with contextlib.suppress(FileNotFoundError):  # The agent at work has just removed it.
                found.append(Spooled(int(parts[0]), path.name, int(parts[1]), _blocks(path.stat().st_size)))
    return sorted(found, key=lambda each: each.sequence)


def _blocks(size: int) -> int:
    # What a file takes up on most file systems; it bounds how many small files there can be, too.
    return -(-size // _BLOCK) * _BLOCK
