"""Copies of what the platform holds: when they are right, when they are fetched again, how old they say they are."""

import asyncio
from dataclasses import dataclass
from math import inf
from time import monotonic

import pytest

from kit.announcements import Announcements
from kit.copies import Copies
from kit.errors import Internal, NotFound, Problem, Unauthenticated, Unavailable

NAME = ("acme", "")


@dataclass(frozen=True)
class Value:
    version: int


class Source:
    """Where values are fetched; counts how often."""

    def __init__(self) -> None:
        self.version = 1
        self.fetches = 0
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def fetch(self, _name: tuple[str, str]) -> Value:
        self.fetches += 1
        version = self.version
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        return Value(version)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def heard() -> Announcements:
    """Announcements that are heard, the last proof being from now."""
    announcements = Announcements(bootstrap_servers="", client_id="")
    announcements.began_at = announcements.confirmed_at = monotonic()
    return announcements


def lost(announcements: Announcements) -> None:
    announcements.confirmed_at = monotonic() - 10


async def test_a_copy_that_is_right_costs_no_fetch(source: Source, heard: Announcements) -> None:
    copies = Copies(source.fetch, heard)
    for _ in range(100):
        assert (await copies.get(NAME)).value == Value(1)
    assert source.fetches == 1
    copies.keep(NAME, Value(1), age=0)
    heard.confirmed_at = monotonic() + 100
    assert (await copies.get(NAME)).age <= 0


async def test_a_new_version_is_fetched_when_it_is_announced(source: Source, heard: Announcements) -> None:
    copies = Copies(source.fetch, heard)
    await copies.get(NAME)
    source.version = 2
    copies.announce(NAME, 2)
    copies.announce(NAME, 1)
    assert (await copies.get(NAME)).value == Value(2)
    assert source.fetches == 2
    copies.announce(("other", ""), 5)
    await asyncio.sleep(0)
    assert source.fetches == 2


async def test_an_answer_that_was_on_its_way_does_not_hide_a_newer_version(
    source: Source, heard: Announcements
) -> None:
    source.gate = asyncio.Event()
    copies = Copies(source.fetch, heard)
    early = asyncio.create_task(copies.get(NAME))
    while not source.fetches:
        await asyncio.sleep(0)
    source.version = 2
    copies.announce(NAME, 2)
    source.gate.set()
    assert not (await early).is_right
    assert (await copies.get(NAME)).value == Value(2)


async def test_without_announcements_a_copy_is_fetched_again_after_two_seconds(
    source: Source, heard: Announcements
) -> None:
    lost(heard)
    heard.began_at = inf
    copies = Copies(source.fetch, heard)
    copies.keep(NAME, Value(0), age=1)
    assert (await copies.get(NAME)).value == Value(0)
    copies.keep(NAME, Value(0), age=3)
    assert (await copies.get(NAME)).value == Value(1)


async def test_what_was_fetched_before_a_gap_does_not_count_as_followed(source: Source, heard: Announcements) -> None:
    copies = Copies(source.fetch, heard)
    old = copies.keep(NAME, Value(0), age=60)
    assert old.age >= 60
    assert (await copies.get(NAME)).value == Value(1)


@pytest.mark.parametrize("trouble", [Unavailable("away"), Internal("broken"), Unauthenticated("clocks apart")])
async def test_while_it_cannot_be_fetched_the_old_one_is_handed_out_and_says_its_age(
    source: Source, heard: Announcements, trouble: Problem
) -> None:
    lost(heard)
    source.error = trouble
    copies = Copies(source.fetch, heard)
    with pytest.raises(type(trouble)):
        await copies.get(NAME)
    copies.keep(NAME, Value(1), age=60)
    for _ in range(10):
        copy = await copies.get(NAME)
        assert (copy.value, copy.is_right) == (Value(1), False)
        assert 60 <= copy.age < 70
    # One that failed is not tried again at once.
    assert source.fetches <= 2


async def test_an_answer_other_than_being_away_reaches_the_reader(source: Source, heard: Announcements) -> None:
    source.error = NotFound("never set")
    copies = Copies(source.fetch, heard)
    with pytest.raises(NotFound):
        await copies.get(NAME)


async def test_readers_share_a_fetch_and_one_that_goes_away_does_not_end_it(
    source: Source, heard: Announcements
) -> None:
    source.gate = asyncio.Event()
    copies = Copies(source.fetch, heard)
    readers = [asyncio.create_task(copies.get(NAME)) for _ in range(5)]
    await asyncio.sleep(0)
    readers[0].cancel()
    source.gate.set()
    answers = await asyncio.gather(*readers[1:])
    assert {answer.value for answer in answers} == {Value(1)}
    assert source.fetches == 1


async def test_what_is_used_for_long_is_fetched_again(source: Source, heard: Announcements) -> None:
    copies = Copies(source.fetch, heard, refetch_after=300)
    heard.began_at = monotonic() - 1000
    copies.keep(NAME, Value(0), age=299)
    assert (await copies.get(NAME)).value == Value(0)
    copies.keep(NAME, Value(0), age=301)
    assert (await copies.get(NAME)).value == Value(1)
    source.error = Unavailable("away")
    copies.keep(NAME, Value(0), age=301)
    assert (await copies.get(NAME)).value == Value(0)
