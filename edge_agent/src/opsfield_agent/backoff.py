"""How long to wait before asking again."""

import random

from opsfield_agent import clock
from opsfield_agent.client import Answer

_MOST_SECONDS = 300.0
_FIRST_SECONDS = 2.0
# A wrong date must not silence an agent for years.
_MOST_RETRY_AFTER = 3600.0

dice = random.SystemRandom()


class Backoff:
    """Exponential with full jitter, so that a fleet that lost its server does not come back all at once."""

    def __init__(self) -> None:
        self._failures = 0

    def after_failure(self, retry_after: float | None) -> float:
        """Seconds to wait. Never less than the server asked for."""
        longest = min(_MOST_SECONDS, _FIRST_SECONDS * 2 ** min(self._failures, 20))
        self._failures += 1
        if retry_after:
            return retry_after + dice.uniform(0, max(1.0, retry_after / 10))
        return dice.uniform(0, longest)

    def after_success(self) -> None:
        """Begin anew."""
        self._failures = 0


def retry_after(answer: Answer) -> float | None:
    """Seconds that the answer asks to wait: its header has a number or a date, which is by the server's clock."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _MOST_RETRY_AFTER)
    at = clock.from_http_date(text)
    if at is None:
        return None
    now = clock.from_http_date(answer.headers.get("date"))
    return min(max(0.0, at - (clock.wall() if now is None else now)), _MOST_RETRY_AFTER)
