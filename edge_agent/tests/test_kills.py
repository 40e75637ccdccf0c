"""kill -9 at any instant: what was spooled arrives, once in effect, as it was, in order."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

from edge_agent.tests.agent import FAST, Agent, until
from edge_agent.tests.platform_server import INGEST, Platform, Trouble

LIVES = 18
STEPS = 40
SEED = 20260301


class Lives:
    """Lets an agent live and die, and keeps book of the batches that it had surely spooled."""

    def __init__(self, agent: Agent, journal: Path) -> None:
        self.agent = agent
        self.journal = journal
        # Names of batches whose writing has begun, and of those that were surely written, in order.
        self.begun: list[str] = []
        self.certain: list[str] = []

    def live(self, die: Callable[["Popen[str]"], None], **wishes: int) -> None:
        """One life, which `die` ends."""
        process = self.agent.with_wishes(set=FAST, journal=str(self.journal), **wishes).start()
        die(process)
        assert process.wait(20) == -9, self.agent.log()
        written = self.written()
        on_disk = {path.name for path in (self.agent.state_dir / "spool").glob("*.batch")}
        # Of the last one it is not known whether its rename still happened.
        self.certain += written[:-1] + [name for name in written[-1:] if name in on_disk]
        self.begun += written

    def written(self) -> list[str]:
        """What this life has begun to write so far. The last line may be half written."""
        lines = self.journal.read_text().split("\n")[:-1] if self.journal.exists() else []
        return lines[len(self.begun) :]

    def judge(self, platform: Platform) -> None:
        """Let it send what is left, then compare what arrived with the book."""
        platform.trouble = lambda route: None
        platform.policy |= {"version": 8, "sendSeconds": 1}
        lives = self.agent.log().count(" begins,")
        with self.agent.running():
            # Before that it does not listen to SIGTERM.
            until(lambda: self.agent.log().count(" begins,") > lives, seconds=60)
            until(lambda: self.agent.status()["spool"]["batches"] <= 1, seconds=60)
        received = [batch.key for batch in platform.batches]
        in_order_of_writing = {_key(name): name for name in self.begun}
        known = [key for key in received if key in in_order_of_writing]
        missing = {_key(name) for name in self.certain} - set(received)
        assert not missing
        assert known == [key for key in in_order_of_writing if key in set(known)], "in another order"
        assert list((self.agent.state_dir / "rejected").glob("*")) == []
        assert list((self.agent.state_dir / "spool").glob("*.tmp")) == []
        assert self.agent.status()["batchesDropped"] == 0
        times = [event["observedAt"] for event in platform.events("heartbeat")]
        assert times == sorted(set(times))
        # Lost answers made for repeats, which the platform saw to be such: the bytes were the same (`faults`).
        assert any(count > 1 for count in platform.arrivals.values())


def test_what_was_spooled_arrives_once_and_in_order(platform: Platform, agent: Agent, tmp_path: Path) -> None:
    dice = random.Random(SEED)
    lives = Lives(agent, tmp_path / "journal")
    platform.policy |= {"sendSeconds": 0.03, "metricsSeconds": 0.03}
    platform.trouble = lambda route: _some_trouble(dice)

    def at_a_random_instant(process: "Popen[str]") -> None:
        until(lives.written)
        time.sleep(dice.uniform(0.0, 0.8))
        process.kill()

    for _ in range(LIVES):
        lives.live(at_a_random_instant)
    assert len(lives.certain) > 100
    lives.judge(platform)


def test_death_at_each_single_step_loses_nothing(platform: Platform, agent: Agent, tmp_path: Path) -> None:
    lives = Lives(agent, tmp_path / "journal")
    answers = iter([False, True] * 1000)
    platform.trouble = lambda route: Trouble(lose_answer=route == INGEST and next(answers))
    for step in range(1, STEPS + 1):
        lives.live(lambda process: None, kill_at=step)
    assert len(lives.certain) > 20
    lives.judge(platform)


def _some_trouble(dice: random.Random) -> Trouble | None:
    return dice.choice(
        [
            *[None] * 4,
            Trouble(lose_answer=True),
            Trouble(lose_request=True),
            Trouble(status=503),
            Trouble(status=429, headers={"Retry-After": "0"}),
            Trouble(status=500, body=b"<html>"),
        ]
    )


def _key(name: str) -> str:
    return name.split(".")[2]
