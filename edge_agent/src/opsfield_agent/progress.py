"""How sending is doing, written to a file for `opsfield-agent status`."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from opsfield_agent import clock, files


@dataclass
class Progress:
    """Counts are since the machine was enrolled; times are RFC 3339 by the machine's clock."""

    # Whether the platform refuses this agent.
    refused: bool = False
    last_sent_at: str | None = None
    batches_sent: int = 0
    events_accepted: int = 0
    events_rejected: int = 0
    batches_dropped: int = 0
    events_dropped: int = 0
    batches_rejected: int = 0
    policy_version: str | None = None
    last_error: str | None = None
    last_error_at: str | None = None


def read(path: Path) -> Progress:
    """What was written last; all anew when nothing was, or it is damaged."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Progress(**json.loads(path.read_bytes()))
    return Progress()


class ProgressFile:
    """Keeps the file up to date."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._progress = read(path)

    def sent(self, accepted: int, rejected: int) -> None:
        """A batch was taken, with so many events accepted and rejected."""
        with self._changing() as progress:
            progress.last_sent_at = clock.rfc3339(clock.wall())
            progress.batches_sent += 1
            progress.events_accepted += accepted
            progress.events_rejected += rejected
            progress.refused = False

    def failed(self, sentence: str, *, refused: bool = False) -> None:
        """Sending did not work."""
        with self._changing() as progress:
            progress.last_error, progress.last_error_at = sentence, clock.rfc3339(clock.wall())
            progress.refused = refused

    def known_again(self) -> None:
        """The platform does not refuse this agent any longer."""
        with self._changing() as progress:
            progress.refused = False

    def dropped(self, batches: int, events: int) -> None:
        """Batches had to go before they were sent."""
        with self._changing() as progress:
            progress.batches_dropped += batches
            progress.events_dropped += events

    def put_aside(self) -> None:
        """The platform will never take a batch."""
        with self._changing() as progress:
            progress.batches_rejected += 1

    def policy(self, version: str | None) -> None:
        """This policy holds now."""
        with self._changing() as progress:
            progress.policy_version = version

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Progress]:
        with self._lock:
            yield self._progress
            # It is for people to look at: neither a full disk nor a power cut matters.
            with contextlib.suppress(OSError):
                files.write(self._path, json.dumps(asdict(self._progress)).encode(), durable=False)
