"""Makes each check when it is due, in a thread of its own, and records what came of it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from opsfield_agent import clock
from opsfield_agent.backoff import dice
from opsfield_agent.batch import Event
from opsfield_agent.checks import Outcome, look
from opsfield_agent.jobs import Jobs
from opsfield_agent.policy import Check
from opsfield_agent.schedule import Periodic

# A new check is first made within so many seconds, not by all agents at once.
_SPREAD_SECONDS = 10.0
# What takes longer than its timeout and this hangs where no timeout reaches: in resolving a name, say.
_GRACE_SECONDS = 1.0


@dataclass
class _Course:
    """One check over time. `began_at` is set while it is being made and nothing is recorded about that yet."""

    periodic: Periodic
    began_at: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def claim(self, began_at: float) -> bool:
        """Whether the outcome of what began then is still to be recorded: of one round there is one outcome."""
        with self.lock:
            if self.began_at != began_at:
                return False
            self.began_at = None
            return True


class CheckRunner:
    """`tick` it often."""

    def __init__(self, jobs: Jobs, record: Callable[[Event], None]) -> None:
        self._jobs = jobs
        self._record = record
        self._courses: dict[Check, _Course] = {}

    def tick(self, checks: Sequence[Check]) -> float:
        """Begin what is due and record what hangs. Returns the moment of the next tick, infinity without checks."""
        now = clock.steady()
        gone = self._courses.keys() - set(checks)
        for check in gone:
            self._courses.pop(check).began_at = None
        for check in checks:
            if check not in self._courses:
                first = dice.uniform(0, min(_SPREAD_SECONDS, check.every_seconds))
                self._courses[check] = _Course(Periodic(now, first_after=first))
        return min((self._advance(check, course, now) for check, course in self._courses.items()), default=float("inf"))

    def _advance(self, check: Check, course: _Course, now: float) -> float:
        began_at = course.began_at
        if began_at is not None and now >= _hangs_at(check, began_at) and course.claim(began_at):
            self._tell(check, _hanging(check))
        if course.periodic.take(now, check.every_seconds):
            self._begin(check, course, now)
        next_at = course.periodic.due_at(check.every_seconds)
        began_at = course.began_at
        return next_at if began_at is None else min(next_at, _hangs_at(check, began_at))

    def _begin(self, check: Check, course: _Course, now: float) -> None:
        before = course.began_at
        course.began_at = now

        def make() -> None:
            outcome = look(check)
            if course.claim(now):
                self._tell(check, outcome)

        if not self._jobs.start(f"check {check.name}", make):
            # The round before has not ended.
            course.began_at = before
            if before is None:
                self._tell(check, _hanging(check))

    def _tell(self, check: Check, outcome: Outcome) -> None:
        self._record(
            Event(
                clock.steady(),
                {"type": "check", "name": check.name, "status": outcome.status, "message": outcome.message},
            )
        )


def _hangs_at(check: Check, began_at: float) -> float:
    return began_at + check.timeout_seconds + _GRACE_SECONDS


def _hanging(check: Check) -> Outcome:
    return Outcome("critical", f"{check.target} did not answer within {check.timeout_seconds:g} s.")
