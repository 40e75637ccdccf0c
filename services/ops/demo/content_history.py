"""What happens to a ticket between its first and its last day."""

import random
from dataclasses import dataclass, replace
from datetime import timedelta

from services.ops.demo.content_work import (
    ANSWERS,
    NOTES,
    QUESTIONS,
    REOPENED,
    REPLIES,
    VENDOR_NOTES,
    WORK_NOTES,
)

# Hours that a step takes, about.
_PACE = {"critical": 0.35, "high": 0.9, "medium": 2.5, "low": 5.0}
_WAITING = ("waiting_on_client", "waiting_on_vendor")


@dataclass(frozen=True)
class Event:
    """`what` is a move (the text is the state), answer, note, reply (of the client), work (the text is its notes) or
    escalation (the text is the reason); `later` is the time since the ticket came in."""

    later: timedelta
    what: str
    text: str
    minutes: int = 0
    is_billable: bool = True
    is_onsite: bool = False


def history(
    choose: random.Random,
    *,
    category: str,
    priority: str,
    resolution: str,
    standing: str | None,
    age: timedelta,
) -> tuple[Event, ...]:
    """The events, in their order, all of them within the ticket's age. It ends in the state `standing`; None: most are
    done, some wait for long."""
    writer = _Writer(choose, category, _PACE[priority])
    standing = (
        standing or choose.choices(("closed", "resolved", "in_progress", "waiting_on_vendor"), (90, 7, 1.5, 1.5))[0]
    )
    writer.write(resolution, standing)
    events = writer.events
    if events and events[-1].later > age * 0.9:
        share = age * 0.9 / events[-1].later
        events = [replace(each, later=each.later * share) for each in events]
    return tuple(events)


class _Writer:
    def __init__(self, choose: random.Random, category: str, pace: float) -> None:
        self.events: list[Event] = []
        self._choose = choose
        self._category = category
        self._pace = pace
        self._hours = 0.0

    def write(self, resolution: str, standing: str) -> None:
        if standing == "new":
            return
        slow = 8 if self._chance(0.08) else 1
        self._move("open", 0.1 * slow)
        if self._chance(0.88):
            self._say("answer", self._choose.choice(ANSWERS), 0.15 * slow)
        if standing == "open":
            return
        self._move("in_progress", 0.3)
        if self._chance(0.55):
            self._say("note", self._choose.choice(NOTES[self._category]), 0.2)
        if self._chance(0.07):
            self._say("escalation", "The client's business has stopped.", 0.2)
        if not self._wait(standing) or standing == "in_progress":
            return
        self._resolve(resolution)
        if standing == "resolved":
            return
        if self._chance(0.06):
            # A word of the client opens it again.
            self._say("reply", self._choose.choice(REOPENED), hours=self._choose.uniform(2, 30))
            self._move("in_progress", 0.3)
            self._resolve(resolution)
        self._move("closed", hours=self._choose.uniform(48, 110))

    def _wait(self, standing: str) -> bool:
        """Whether it goes on after waiting, if it waits."""
        state = standing if standing in _WAITING else self._choose.choices(("", *_WAITING), (60, 28, 12))[0]
        if not state:
            return True
        if state == "waiting_on_client":
            self._say("answer", self._choose.choice(QUESTIONS), 0.1)
        else:
            self._say("note", self._choose.choice(VENDOR_NOTES), 0.1)
        self._move(state, 0.05)
        if state == standing:
            return False
        if state == "waiting_on_client":
            # Their answer takes it back to in progress.
            self._say("reply", self._choose.choice(REPLIES), hours=self._choose.uniform(1, 40))
        else:
            self._move("in_progress", hours=self._choose.uniform(10, 70))
        return True

    def _resolve(self, resolution: str) -> None:
        slow = 7 if self._chance(0.1) else 1
        self._hours += self._pace * self._choose.uniform(0.5, 2.5) * slow
        if self._chance(0.56):
            self._work(self._choose.choice((15, 15, 30, 30, 45, 60, 90)))
            if self._chance(0.2):
                self._work(self._choose.choice((30, 60, 120)))
        self._move("resolved", 0.05)
        if self._chance(0.6):
            self._say("answer", f"{resolution} Please tell us if anything is still not right.", 0.02)

    def _work(self, minutes: int) -> None:
        self._hours += 0.05
        is_onsite = self._chance(0.2)
        event = Event(
            timedelta(hours=self._hours),
            "work",
            WORK_NOTES[2] if is_onsite else self._choose.choice(WORK_NOTES),
            minutes=minutes,
            is_billable=self._chance(0.8),
            is_onsite=is_onsite,
        )
        self.events.append(event)

    def _move(self, state: str, share: float = 0.0, *, hours: float = 0.0) -> None:
        self._say("move", state, share, hours=hours)

    def _say(self, what: str, text: str, share: float = 0.0, *, hours: float = 0.0) -> None:
        """After a share of the pace, or hours."""
        self._hours += hours or self._pace * share * self._choose.uniform(0.4, 1.8)
        self.events.append(Event(timedelta(hours=self._hours), what, text))

    def _chance(self, of: float) -> bool:
        return self._choose.random() < of
