"""When something is due again."""

from opsfield_agent.backoff import dice

JITTER = 0.1


class Periodic:
    """Comes round every so many seconds of the steady clock, which may change in between."""

    def __init__(self, now: float, *, first_after: float, jitter: bool = False) -> None:
        """Due first after `first_after` seconds; with `jitter`, then at intervals that differ by up to 10 %."""
        self._since = now
        self._first: float | None = first_after
        self._jitter = jitter
        self._share = 1.0

    def due_at(self, every: float) -> float:
        """The moment at which it is due."""
        if self._first is not None:
            return self._since + min(self._first, every)
        return self._since + every * self._share

    def take(self, now: float, every: float) -> bool:
        """Whether it is due; if so, the next interval begins."""
        due_at = self.due_at(every)
        if now < due_at:
            return False
        # The rhythm is kept, unless it is lost: after a suspend, say.
        self._since = due_at if now - due_at < every else now
        self._first = None
        self._share = dice.uniform(1 - JITTER, 1 + JITTER) if self._jitter else 1.0
        return True
