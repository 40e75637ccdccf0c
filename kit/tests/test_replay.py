"""Parked events, sent back once what was wrong is mended: each takes effect once, and at no other consumer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from kit.consumer import Consumer, Subscription
from kit.database import Database
from kit.events import ReceivedEvent
from kit.parking import reason_of
from kit.replay import Parked, main, replay
from kit.tests.kafka_records import TOPIC, empty_broker, read, send
from kit.tests.sample_service import SERVICE, Sample, eventually, running
from kit.tests.test_consumer import SESSION_TIMEOUT, effects, event, has_effect, name_of, take_effect
from kit.unit_of_work import UnitOfWork

DEAD = f"{TOPIC}.dlq"
KEY = "k-1"
MENDED, OTHER = "mended", "other"


class Killed(Exception):
    """What ends a replay midway."""


@dataclass
class Desk:
    """Two consumers of the topic. One fails at what is in `broken`; the other notes what it is asked to handle."""

    broker: str
    broken: set[str] = field(default_factory=set)
    seen_by_other: list[str] = field(default_factory=list)

    async def handle(self, received: ReceivedEvent, work: UnitOfWork) -> None:
        if name_of(received) in self.broken:
            raise RuntimeError(f"no way with {name_of(received)}")
        await take_effect(received, work)

    async def note(self, received: ReceivedEvent, work: UnitOfWork) -> None:
        del work
        self.seen_by_other.append(name_of(received))

    async def parked(self, count: int) -> list[Parked]:
        """All dead letters, once there are so many that this broker holds."""
        await read(self.broker, lambda records: len(records) >= count, topic=DEAD)
        found: list[Parked] = []
        await replay(self.broker, TOPIC, MENDED, chosen=lambda _: True, dry_run=True, tell=found.append)
        return found


def consumer(
    name: str, handler: Callable[[ReceivedEvent, UnitOfWork], Awaitable[None]], app: Database, desk: Desk
) -> Consumer:
    return Consumer(
        Subscription(name, {TOPIC: handler}),
        service=SERVICE,
        database=app,
        bootstrap_servers=desk.broker,
        session_timeout=SESSION_TIMEOUT,
        wait_milliseconds=50,
        on_commit=lambda: None,
    )


@pytest.fixture
async def desk(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with empty_broker(tmp_path_factory.mktemp("replay")) as broker:
        desk = Desk(broker)
        loops = (
            consumer(MENDED, desk.handle, sample.database, desk),
            consumer(OTHER, desk.note, sample.database, desk),
        )
        async with running(*(each.run() for each in loops)):
            yield desk


async def all_seen(desk: Desk, sample: Sample, last: str) -> None:
    """Both consumers have come to the event of that name."""

    async def is_seen() -> bool:
        return last in desk.seen_by_other and await has_effect(sample, last)

    await eventually(is_seen, seconds=60)


async def test_what_was_parked_takes_effect_once_and_nowhere_else(sample: Sample, desk: Desk) -> None:
    desk.broken = {"a", "b"}
    await send(desk.broker, event(KEY, "a"), event(KEY, "b"), event(KEY, "good"))
    await all_seen(desk, sample, "good")
    first = await desk.parked(2)
    assert [(each.record.key, each.reason) for each in first] == [
        (KEY.encode(), "RuntimeError: no way with a"),
        (KEY.encode(), "RuntimeError: no way with b"),
    ]

    # Shown, nothing changes; sent to somebody who parked nothing, neither.
    assert await replay(desk.broker, TOPIC, MENDED, dry_run=True) == 2
    assert await replay(desk.broker, TOPIC, OTHER) == 0

    # Not even where the inbox has forgotten what the other consumer has had.
    await sample.admin.execute("DELETE FROM inbox WHERE consumer = $1", OTHER)
    # One is mended: the other is parked once more, which the same replay does not run after.
    desk.broken = {"b"}
    assert await replay(desk.broker, TOPIC, MENDED) == 2
    await eventually(lambda: has_effect(sample, "a"))
    second = await desk.parked(3)
    assert reason_of(second[-1].record) == "RuntimeError: no way with b"
    assert second[-1].event_id == first[1].event_id
    headers = [name for name, _ in second[-1].record.headers]
    assert len(headers) == len(set(headers))

    # The next replay begins there.
    desk.broken = set()
    assert await replay(desk.broker, TOPIC, MENDED) == 1
    assert await replay(desk.broker, TOPIC, MENDED) == 0
    await eventually(lambda: has_effect(sample, "b"))

    # From the beginning, as after a replay that was killed before it noted how far it had come: nothing is doubled.
    assert await replay(desk.broker, TOPIC, MENDED, chosen=lambda _: True) == 3
    await send(desk.broker, event(KEY, "last"))
    await all_seen(desk, sample, "last")
    assert await effects(sample) == ["good", "a", "b", "last"]
    assert desk.seen_by_other == ["a", "b", "good", "last"]


async def test_a_replay_that_is_ended_midway_is_finished_by_the_next(sample: Sample, desk: Desk) -> None:
    desk.broken = {"a", "b", "c"}
    await send(desk.broker, event(KEY, "a"), event(KEY, "b"), event(KEY, "c"), event(KEY, "good"))
    await all_seen(desk, sample, "good")
    await desk.parked(3)
    desk.broken = set()
    told: list[Parked] = []

    def die_at_the_second(parked: Parked) -> None:
        told.append(parked)
        if len(told) == 2:
            raise Killed

    with pytest.raises(Killed):
        await replay(desk.broker, TOPIC, MENDED, tell=die_at_the_second)
    # The first has gone once or twice, depending on whether it came from the broker together with the second.
    assert await replay(desk.broker, TOPIC, MENDED) in (2, 3)
    await eventually(lambda: has_effect(sample, "c"))
    assert sorted(await effects(sample)) == ["a", "b", "c", "good"]


async def test_the_command_line_chooses_and_says_what_it_does(
    sample: Sample, desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", desk.broker)
    desk.broken = {"a", "b"}
    await send(desk.broker, event(KEY, "a"), b"no event", event(KEY, "b"), event(KEY, "good"))
    await all_seen(desk, sample, "good")
    # Each of the two consumers has parked what is no event.
    await desk.parked(4)
    parked = [each for each in await desk.parked(4) if each.event_id]

    async def run(*arguments: str) -> list[str]:
        code = await asyncio.to_thread(main, [TOPIC, "--consumer", MENDED, *arguments])
        assert code == 0
        return capsys.readouterr().out.splitlines()

    shown = await run("--dry-run")
    assert shown[-1] == f"3 would be sent back to {MENDED}."
    assert all(any(each.event_id in line and each.reason in line for line in shown) for each in parked)
    assert any("(no event)" in line for line in shown)

    later = (parked[-1].at + timedelta(hours=1)).isoformat()
    assert await run("--dry-run", "--since", later) == [f"0 would be sent back to {MENDED}."]

    desk.broken = set()
    chosen = parked[1].event_id
    assert (await run("--event", chosen))[-1] == f"1 were sent back to {MENDED}."
    await eventually(lambda: has_effect(sample, "b"))
    assert not await has_effect(sample, "a")
    # Choosing has not moved the place where the next one begins.
    assert (await run("--dry-run"))[-1] == f"3 would be sent back to {MENDED}."


def test_a_broker_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    assert main([TOPIC, "--consumer", MENDED]) == 1
    assert "did not end" in capsys.readouterr().err
