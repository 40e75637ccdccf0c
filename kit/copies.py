"""Local copies of what the platform service holds: read without a call, right within two seconds.

A copy is right while announcements are heard without a gap since it was fetched and none told of a newer version.
While they are not (Kafka is away), it is fetched again once it is two seconds old. When that fails as well, the copy
is handed out all the same, and says how old it is.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Generic, Protocol, TypeVar

from kit.announcements import Announcements
from kit.errors import Forbidden, NotFound, Problem

RIGHT_WITHIN_SECONDS = 2.0


class Versioned(Protocol):
    """`version` grows with each change."""

    @property
    def version(self) -> int: ...


Value = TypeVar("Value", bound=Versioned)
Name = tuple[str, str]
"""A workspace and a name in it."""


@dataclass
class Copy(Generic[Value]):
    """`fetched_at` is of `time.monotonic`; `announced` is the newest version that was told of."""

    value: Value
    fetched_at: float
    announced: int
    announcements: Announcements = field(repr=False)

    @property
    def age(self) -> float:
        """For so many seconds at most it may have been out of date."""
        is_followed = self.announcements.began_at <= self.fetched_at and self.announced <= self.value.version
        known_right = max(self.fetched_at, self.announcements.confirmed_at) if is_followed else self.fetched_at
        return monotonic() - known_right

    @property
    def is_right(self) -> bool:
        return self.announced <= self.value.version and self.age <= RIGHT_WITHIN_SECONDS


class Copies(Generic[Value]):
    """`fetch` gets the value of a name from the platform service. One that was fetched more than `refetch_after`
    seconds ago is fetched again even though nothing has changed."""

    def __init__(
        self, fetch: Callable[[Name], Awaitable[Value]], announcements: Announcements, *, refetch_after: float = inf
    ) -> None:
        self._fetch = fetch
        self._announcements = announcements
        self._refetch_after = refetch_after
        self._held: dict[Name, Copy[Value]] = {}
        self._announced: dict[Name, int] = {}
        self._fetching: dict[Name, asyncio.Task[Copy[Value]]] = {}
        self._failed_at: dict[Name, float] = {}

    async def get(self, name: Name) -> Copy[Value]:
        """Without a call when the copy at hand is right, or when a call has just failed. Raises NotFound and Forbidden
        when the platform service answers so, and any Problem when there is no copy and none can be had."""
        held = self._held.get(name)
        if held is None:
            return await self.refresh(name)
        now = monotonic()
        if held.is_right and now - held.fetched_at <= self._refetch_after:
            return held
        if now - self._failed_at.get(name, -inf) <= RIGHT_WITHIN_SECONDS:
            return held
        try:
            return await self.refresh(name)
        except Problem as problem:
            if _is_final(problem):
                raise
            return held

    async def refresh(self, name: Name) -> Copy[Value]:
        """Fetch it anew; whoever asks meanwhile gets the same answer."""
        # A caller who goes away does not take the answer from the others.
        return await asyncio.shield(self._start_fetch(name))

    def keep(self, name: Name, value: Value, *, age: float = 0) -> Copy[Value]:
        """Hold a value that was fetched `age` seconds ago."""
        copy = Copy(value, monotonic() - age, self._announced.get(name, 0), self._announcements)
        self._held[name] = copy
        return copy

    def announce(self, name: Name, version: int) -> None:
        """There is such a version: what is held is fetched anew at once, what is not when it is asked for."""
        self._announced[name] = version = max(version, self._announced.get(name, 0))
        held = self._held.get(name)
        if held is not None and held.value.version < version:
            held.announced = version
            self._failed_at.pop(name, None)
            self._start_fetch(name)

    def _start_fetch(self, name: Name) -> "asyncio.Task[Copy[Value]]":
        if name not in self._fetching:
            task = self._fetching[name] = asyncio.create_task(self._fetch_and_hold(name))
            task.add_done_callback(lambda done: self._end_fetch(name, done))
        return self._fetching[name]

    async def _fetch_and_hold(self, name: Name) -> Copy[Value]:
        asked_at = monotonic()
        value = await self._fetch(name)
        return self.keep(name, value, age=monotonic() - asked_at)

    def _end_fetch(self, name: Name, done: "asyncio.Task[Copy[Value]]") -> None:
        self._fetching.pop(name, None)
        # Looking at the error here also marks it as seen, should nobody be waiting for it.
        if not done.cancelled() and isinstance(error := done.exception(), Problem) and not _is_final(error):
            self._failed_at[name] = monotonic()


def _is_final(problem: Problem) -> bool:
    """Whether the platform service has said that there is no such thing, or that it is not for us. All else is trouble
    of its own, which ends."""
    return isinstance(problem, NotFound | Forbidden)
