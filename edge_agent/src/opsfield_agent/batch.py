"""A batch of events: as bytes that never change once it is written, and as a file."""

import gzip
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from opsfield_agent import clock

MOST_EVENTS = 5000
"""The platform takes 10,000 events and 8 MiB; half of that leaves room for long messages."""


class Event(NamedTuple):
    """Something observed: when, by the steady clock, and the fields of the event but for `observedAt`."""

    at: float
    fields: dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """What is sent, and when it was written: by the machine's clock, and by the steady one of this run of it."""

    key: str
    events: int
    body: bytes
    wall: float
    steady: float
    boot_id: str | None

    def clock_now(self) -> float:
        """What the clock by which the events are dated would show now, had nobody set it in between.

        The platform takes the difference to its own clock for the error of all times in the batch.
        """
        return self.wall + self.age()

    def age(self) -> float:
        """Seconds since it was written."""
        if self.boot_id is not None and self.boot_id == clock.boot_id():
            return clock.steady() - self.steady
        return clock.wall() - self.wall

    def to_file(self) -> bytes:
        """A line of JSON about the batch, then its body."""
        header = {
            "key": self.key,
            "events": self.events,
            "wall": self.wall,
            "steady": self.steady,
            "bootId": self.boot_id,
        }
        return json.dumps(header).encode() + b"\n" + self.body

    @classmethod
    def from_file(cls, content: bytes) -> "Batch":
        """The batch of `to_file`. Raises ValueError when the file is damaged."""
        header, newline, body = content.partition(b"\n")
        try:
            fields = json.loads(header)
            batch = cls(fields["key"], fields["events"], body, fields["wall"], fields["steady"], fields["bootId"])
            clock.rfc3339(batch.wall + batch.age())
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"the batch is damaged: {error}") from None
        if not newline or not body:
            raise ValueError("the batch is damaged: it is not whole")
        return batch


def write(events: Sequence[Event]) -> Batch:
    """Date the events by the machine's clock as it is now and put them together."""
    wall, steady = clock.wall(), clock.steady()
    document = {
        "events": [
            {"type": event.fields["type"], "observedAt": clock.rfc3339(wall - (steady - event.at)), **event.fields}
            for event in events
        ]
    }
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # A file name may hold what is no character.
    body = gzip.compress(text.encode(errors="replace"), 6, mtime=0)
    return Batch(str(uuid.uuid4()), len(events), body, wall, steady, clock.boot_id())
