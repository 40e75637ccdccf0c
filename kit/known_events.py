"""Passing by what a consumer knows already, many events at once.

A consumer that has to read a topic again (its offsets were lost, or the broker was and everything was sent once more)
would open a transaction for each event just to find it in the inbox, and fall behind what is new. While nothing but
known events comes, the inbox is asked first. What it does not hold, or cannot be asked for, is handled as ever.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

from kit.call import Call
from kit.database import Database
from kit.errors import Problem
from kit.events import NotAnEvent, ReceivedEvent, parse
from kit.parking import Record

# So many known ones in a row are no accident.
_IN_A_ROW = 20
_KNOWN = "SELECT event_id FROM inbox WHERE workspace_id = $1 AND consumer = $2 AND event_id = ANY($3::text[])"


class KnownEvents:
    """Of one consumer; `call_of` makes the call in whose workspace an event is handled."""

    def __init__(self, database: Database, *, consumer: str, call_of: Callable[[ReceivedEvent], Call]) -> None:
        self._database = database
        self._consumer = consumer
        self._call_of = call_of
        self._in_a_row = 0

    def note(self, *, is_new: bool) -> None:
        """Whether an event that was claimed was a new one."""
        self._in_a_row = 0 if is_new else self._in_a_row + 1

    async def left(self, records: Sequence[Record]) -> Sequence[Record]:
        """Those that have to be handled."""
        if self._in_a_row < _IN_A_ROW:
            return records
        events = [_event(record) for record in records]
        of_workspace: dict[str, list[ReceivedEvent]] = defaultdict(list)
        for event in filter(None, events):
            of_workspace[event.workspace_id].append(event)
        known = {(name, each) for name, some in of_workspace.items() for each in await self._known(some)}
        left = [
            record
            for record, event in zip(records, events, strict=True)
            if event is None or (event.workspace_id, event.id) not in known
        ]
        if left:
            self._in_a_row = 0
        return left

    async def _known(self, events: Sequence[ReceivedEvent]) -> list[str]:
        """All of one workspace: the ids of those that are in the inbox."""
        call = self._call_of(events[0])
        try:
            async with self._database.read(call) as session:
                rows = await session.fetch(_KNOWN, call.workspace_id, self._consumer, [each.id for each in events])
        except Problem:
            return []
        return [row["event_id"] for row in rows]


def _event(record: Record) -> ReceivedEvent | None:
    try:
        return parse(record.value, topic=record.topic)
    except NotAnEvent:
        return None
