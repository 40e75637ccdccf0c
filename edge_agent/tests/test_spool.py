"""The spool: bounded, in order, and sound after anything that can happen to a disk."""

import errno
import logging
import resource
import time
from pathlib import Path

import pytest

from edge_agent.tests.agent import FAST, Agent, until
from edge_agent.tests.platform_server import INGEST, Platform, Trouble
from opsfield_agent import batch, clock, spool
from opsfield_agent.batch import Batch, Event
from opsfield_agent.spool import Spool

DAY = 86400.0


class Kept:
    """A spool on a directory, and what it dropped."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.dropped: list[tuple[int, int]] = []

    def open(self, most_bytes: int = 1_000_000, most_seconds: float = 7 * DAY) -> Spool:
        return Spool(
            self.directory / "spool",
            self.directory / "rejected",
            most_bytes=most_bytes,
            most_seconds=most_seconds,
            dropped=lambda *counts: self.dropped.append(counts),
        )

    def files(self) -> list[Path]:
        return sorted((self.directory / "spool").iterdir())


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_what_is_appended_comes_back_as_it_was_over_restarts(kept: Kept) -> None:
    written = [_batch(number) for number in range(12)]
    for each in written[:6]:
        kept.open().append(each)
    later = kept.open()
    for each in written[6:]:
        later.append(each)
    assert _drain(kept.open()) == written
    assert kept.files() == []


def test_a_half_written_file_is_removed(kept: Kept) -> None:
    kept.open().append(_batch(1))
    (kept.directory / "spool" / "000000000002.1.k.batch.tmp").write_bytes(b"{")
    assert len(_drain(kept.open())) == 1
    assert kept.files() == []


@pytest.mark.parametrize("content", [b"", b"{}\n", b"{", b'{"key": 1}\nx', b"\x00" * 4096])
def test_a_damaged_file_is_put_aside_and_holds_up_nothing(kept: Kept, content: bytes) -> None:
    opened = kept.open()
    opened.append(_batch(1))
    opened.append(_batch(2))
    kept.files()[0].write_bytes(content)
    assert [each.events for each in _drain(kept.open())] == [2]
    assert len(list((kept.directory / "rejected").iterdir())) == 1


def _unreadable(path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file on a bad sector is, or all files of a process that has too many open."""
    read = Path.read_bytes

    def fail(self: Path) -> bytes:
        if self.name == path.name:
            raise OSError(number, "as asked")
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", fail)


def test_a_file_that_cannot_be_read_for_good_holds_up_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = kept.open()
    opened.append(_batch(1))
    opened.append(_batch(2))
    oldest = opened.oldest()
    assert oldest is not None
    _unreadable(kept.files()[0], errno.EIO, monkeypatch)
    for _ in range(4):
        with pytest.raises(OSError, match="as asked"):
            opened.load(oldest)
        assert opened.oldest() is oldest
    assert opened.load(oldest) is None
    assert [each.events for each in _drain(opened)] == [2]
    assert len(list((kept.directory / "rejected").iterdir())) == 1


def test_what_is_not_the_files_fault_is_waited_out(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = kept.open()
    opened.append(_batch(1))
    oldest = opened.oldest()
    assert oldest is not None
    with monkeypatch.context() as patch:
        _unreadable(kept.files()[0], errno.EMFILE, patch)
        for _ in range(20):
            with pytest.raises(OSError, match="as asked"):
                opened.load(oldest)
    assert [each.events for each in _drain(opened)] == [1]


def test_the_oldest_go_when_there_are_too_many(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    opened = kept.open(most_bytes=10 * 4096)
    for number in range(25):
        opened.append(_batch(number))
        assert sum(4096 for _ in kept.files()) <= 10 * 4096
    assert [each.events for each in _drain(opened)] == list(range(15, 25))
    assert sum(batches for batches, _ in kept.dropped) == 15
    assert sum(events for _, events in kept.dropped) == sum(range(15))
    assert "there are too many" in caplog.text


def test_the_bound_holds_over_a_restart_with_a_smaller_one(kept: Kept) -> None:
    opened = kept.open()
    for number in range(20):
        opened.append(_batch(number))
    smaller = kept.open(most_bytes=5 * 4096)
    smaller.append(_batch(99))
    assert [each.events for each in _drain(smaller)] == [16, 17, 18, 19, 99]


def test_the_too_old_go(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = kept.open(most_seconds=7 * DAY)
    opened.append(_batch(1))
    began = clock.steady()
    monkeypatch.setattr(clock, "steady", lambda: began + 5 * DAY)
    opened.append(_batch(2))
    assert kept.dropped == []
    monkeypatch.setattr(clock, "steady", lambda: began + 8 * DAY)
    opened.append(_batch(3))
    assert kept.dropped == [(1, 1)]
    assert [each.events for each in _drain(opened)] == [2, 3]


def test_a_clock_that_jumps_makes_nothing_old(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = kept.open()
    opened.append(_batch(1))
    wall = clock.wall()
    monkeypatch.setattr(clock, "wall", lambda: wall + 1000 * DAY)
    opened.append(_batch(2))
    assert kept.dropped == []


def test_what_was_written_before_the_machine_booted_anew_ages_by_its_clock(
    kept: Kept,
) -> None:
    opened = kept.open()
    old = _batch(1)
    opened.append(Batch(old.key, old.events, old.body, clock.wall() - 8 * DAY, 5.0, "another boot"))
    opened.append(_batch(2))
    assert kept.dropped == [(1, 1)]
    assert [each.events for each in _drain(opened)] == [2]


def test_what_is_put_aside_is_bounded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_MOST_REJECTED_BYTES", 3 * 4096)
    opened = kept.open()
    for number in range(8):
        opened.append(_batch(number))
        oldest = opened.oldest()
        assert oldest is not None
        opened.reject(oldest)
    assert [path.name.split(".")[1] for path in sorted((kept.directory / "rejected").iterdir())] == ["5", "6", "7"]


def test_a_full_disk_is_outlived_in_memory(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    opened = kept.open()
    opened.append(_batch(0))
    monkeypatch.setattr("opsfield_agent.files.os.fsync", _no_space)
    for number in range(1, 4):
        opened.append(_batch(number))
    assert len(kept.files()) == 1
    assert caplog.text.count("cannot be written") == 1
    assert _take(opened).events == 0
    assert _take(opened).events == 1
    monkeypatch.undo()
    opened.append(_batch(4))
    assert [path.name.split(".")[1] for path in kept.files()] == ["2", "3", "4"]
    assert "can be written again" in caplog.text
    assert [each.events for each in _drain(kept.open())] == [2, 3, 4]


def test_in_memory_the_newest_are_kept(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_MOST_MEMORY_BYTES", 4 * 4096)
    opened = kept.open()
    monkeypatch.setattr("opsfield_agent.files.os.fsync", _no_space)
    for number in range(10):
        opened.append(_batch(number))
    monkeypatch.undo()
    assert [each.events for each in _drain(opened)] == [6, 7, 8, 9]
    assert sum(batches for batches, _ in kept.dropped) == 6


def test_an_agent_whose_disk_is_full_keeps_on(platform: Platform, agent: Agent) -> None:
    """The system refuses all writes to files for a while, as on a full disk."""
    is_cut_off = True
    busy = Trouble(status=503, headers={"Retry-After": "1"})
    platform.trouble = lambda route: busy if is_cut_off and route == INGEST else None
    with agent.with_wishes(set=FAST).running() as process:
        until(lambda: agent.status()["spool"]["batches"] >= 3)
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, hard))
        # Its log is a file too: what it says is lost, and it goes on all the same.
        before = agent.status()["spool"]["batches"]
        time.sleep(1.5)
        assert agent.status()["spool"]["batches"] <= before + 1
        is_cut_off = False
        until(lambda: len(platform.batches) > before + 20)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        taken = len(platform.batches)
        until(lambda: len(platform.batches) > taken + 5)
    times = [event["observedAt"] for event in platform.events("heartbeat")]
    assert times == sorted(set(times))


def _batch(events: int) -> Batch:
    return Batch(f"key-{events}", events, b"body" * events + b".", 1.7e9, clock.steady(), clock.boot_id())


def _take(opened: Spool) -> Batch:
    oldest = opened.oldest()
    assert oldest is not None
    loaded = opened.load(oldest)
    assert loaded is not None
    opened.remove(oldest)
    return loaded


def _drain(opened: Spool) -> list[Batch]:
    taken = []
    while (oldest := opened.oldest()) is not None:
        loaded = opened.load(oldest)
        if loaded is not None:
            taken.append(loaded)
            opened.remove(oldest)
    return taken


def _no_space(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_events_are_dated_by_the_clock_at_the_time_of_writing() -> None:
    events = [Event(clock.steady() - 10, {"type": "metric", "name": "x", "value": 1.0})]
    written = batch.write(events)
    assert abs(written.clock_now() - clock.wall()) < 0.5
    assert Batch.from_file(written.to_file()) == written
