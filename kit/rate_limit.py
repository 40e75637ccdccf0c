"""How often one caller may ask: the generic cell rate algorithm, one number for each caller.

In a window of a minute a caller may spend its quota at once or spread it; what is spent comes back steadily. Counts are
of this process alone: with n of them a caller has up to n times the quota. (A limiter from a library was measured:
its in-memory store walks all keys every few milliseconds, in a thread of its own.)
"""

import math
import time
from collections.abc import Callable, Hashable

from kit.errors import TooManyRequests

_WINDOW = 60.0
_MOST_KEYS = 50_000


class RateLimited(TooManyRequests):
    """429; `headers` follow draft-ietf-httpapi-ratelimit-headers."""

    def __init__(self, quota: int, wait: int) -> None:
        super().__init__(f"More than {quota} requests a minute; try again in {wait} s.", retry_after=wait)
        self.headers: list[tuple[bytes, bytes]] = [
            (b"ratelimit-policy", f'"default";q={quota};w={_WINDOW:.0f}'.encode()),
            (b"ratelimit", f'"default";r=0;t={wait}'.encode()),
        ]


class RateLimiter:
    """`per_minute`: the quota of each key; 0 means no limit."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._quota = per_minute
        self._interval = _WINDOW / per_minute if per_minute else 0.0
        self._clock = clock
        # When each key's quota is whole again.
        self._whole_at: dict[Hashable, float] = {}

    def hit(self, key: Hashable) -> None:
        """Count one request. Raises RateLimited, uncounted, when the quota is spent."""
        if not self._quota:
            return
        now = self._clock()
        whole_at = self._after_one_more(key, now)
        if len(self._whole_at) >= _MOST_KEYS:
            self._forget(now)
        self._whole_at[key] = whole_at

    def check(self, key: Hashable) -> None:
        """Raises RateLimited when the quota is spent; counts nothing."""
        if self._quota:
            self._after_one_more(key, self._clock())

    def _after_one_more(self, key: Hashable, now: float) -> float:
        whole_at = max(self._whole_at.get(key, now), now) + self._interval
        # The tolerance keeps sums of rounded intervals from costing the last request of a quota.
        if (excess := whole_at - now - _WINDOW) > self._interval / 1000:
            raise RateLimited(self._quota, math.ceil(excess))
        return whole_at

    def _forget(self, now: float) -> None:
        self._whole_at = {key: whole_at for key, whole_at in self._whole_at.items() if whole_at > now}
        if len(self._whole_at) >= _MOST_KEYS:
            self._whole_at.clear()
