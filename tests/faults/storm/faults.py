"""What goes wrong, in an order that its seed decides: programs killed, paused and restarted, connections reset, torn,
held up and slowed down."""

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from devstack.layout import GATEWAY, KAFKA, POSTGRES, SERVICES
from tests.faults.storm.proxy import Proxy
from tests.platform import Platform

PROGRAMS = (*SERVICES, GATEWAY)
# Postgres and Kafka take all others with them, so their turn comes less often.
_WEIGHTS = {**dict.fromkeys(PROGRAMS, 4), POSTGRES: 2, KAFKA: 2}


@dataclass(frozen=True)
class Fault:
    kind: str
    victim: str


def draw(chance: random.Random) -> Fault:
    """The next one."""
    victim = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    if victim in (POSTGRES, KAFKA):
        return Fault(chance.choice(("kill", "pause")), victim)
    kinds = ["kill", "kill", "pause", "restart"]
    if victim in SERVICES:
        kinds += [f"{way} {where}" for way in ("reset", "tear", "hold", "slow") for where in ("database", "calls")]
    return Fault(chance.choice(kinds), victim)


class Faults:
    """`proxies`: of each service, before its database and before itself."""

    def __init__(self, platform: Platform, proxies: dict[str, tuple[Proxy, Proxy]], seed: int) -> None:
        self._platform = platform
        self._proxies = proxies
        self._chance = random.Random(seed)
        self.told: Counter[str] = Counter()

    def run(self, until: float, report: Callable[[str], None]) -> None:
        """One after the other, with pauses, until that moment of `time.monotonic`."""
        while time.monotonic() < until:
            fault = draw(self._chance)
            pause = self._chance.uniform(0.2, 3)
            report(f"{fault.kind} {fault.victim}")
            self._strike(fault, self._chance.uniform(0.1, 4))
            self.told[fault.kind] += 1
            time.sleep(pause)

    def _strike(self, fault: Fault, seconds: float) -> None:
        match fault.kind.split():
            case ["kill"]:
                self._platform.kill(fault.victim)
                time.sleep(seconds / 4)
                self._platform.run(self._platform.stack.start(fault.victim))
            case ["pause"]:
                _pause(self._platform.stack.pid(fault.victim), seconds)
            case ["restart"]:
                self._platform.stop(fault.victim)
                self._platform.run(self._platform.stack.start(fault.victim))
            case [way, where]:
                self._platform.run(_disturb(self._proxies[fault.victim][where == "calls"], way, seconds))


async def _disturb(proxy: Proxy, way: str, seconds: float) -> None:
    match way:
        case "reset":
            await proxy.reset()
        case "tear":
            await proxy.tear()
        case "hold":
            await proxy.hold(seconds)
        case "slow":
            await proxy.slow(seconds)


def _pause(pid: int, seconds: float) -> None:
    """Stop a program with all that it has started, and let it go on."""
    main = psutil.Process(pid)
    processes = [main, *main.children(recursive=True)]
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            each.suspend()
    time.sleep(seconds)
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            each.resume()
