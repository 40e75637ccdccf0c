"""Passing by what a consumer knows already, many events at once.

A consumer that has to read a topic again (its offsets were lost, or the broker was and everything was sent once more)
would open a transaction for each event just to find it in the inbox, and fall behind what is new. While nothing but
known events comes, the inbox is asked first. What it does not hold, or cannot be asked for, is handled as ever.
"""

from collections.abc import Sequence

from kit.call import Call
from kit.database import Database
from kit.errors import Problem
from kit.events import NotAnEvent, ReceivedEvent, parse
from kit.identity import Principal
from kit.parking import Record

# So many known ones in a row are no accident.
_IN_A_ROW = 20
_KNOWN = "SELECT event_id FROM inbox WHERE workspace_id = $1 AND consumer = $2 AND event_id = ANY($3::text[])"


class KnownEvents:
    """Of one consumer of a service."""

    def __init__(self, database: Database, *, consumer: str, service: str) -> None:
        self._database = database
        self._consumer = consumer
        self._service = service
        self._in_a_row = 0

    def note(self, *, is_new: bool) -> None:
        """Whether an event that was claimed was a new one."""
        self._in_a_row = 0 if is_new else self._in_a_row + 1

    async def left(self, records: Sequence[Record]) -> Sequence[Record]:
        """Those that have to be handled."""
        if self._in_a_row < _IN_A_ROW:
            return records
        events = [_event(record) for record in records]
        known: set[tuple[str, str]] = set()
        for workspace_id in {each.workspace_id for each in events if each}:
            of_workspace = [each.id for each in events if each and each.workspace_id == workspace_id]
            known |= {(workspace_id, each) for each in await self._known(workspace_id, of_workspace)}
        left = [
            record
            for record, event in zip(records, events, strict=True)
            if event is None or (event.workspace_id, event.id) not in known
        ]
        if left:
            self._in_a_row = 0
        return left

    async def _known(self, workspace_id: str, event_ids: list[str]) -> list[str]:
        call = Call(
            method=f"{self._consumer}/known-events",
            principal=Principal(subject=f"consumer:{self._consumer}", workspace_id=workspace_id, service=self._service),
            correlation_id="",
        )
        try:
            async with self._database.read(call) as session:
                rows = await session.fetch(_KNOWN, workspace_id, self._consumer, event_ids)
        except Problem:
            return []
        return [row["event_id"] for row in rows]


def _event(record: Record) -> ReceivedEvent | None:
    try:
        return parse(record.value, topic=record.topic)
    except NotAnEvent:
        return None
