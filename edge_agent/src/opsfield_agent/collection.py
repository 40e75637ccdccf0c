"""Measures, looks and writes batches into the spool, each in its own rhythm, whatever sending does."""

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from opsfield_agent import __version__, batch, clock
from opsfield_agent.backoff import dice
from opsfield_agent.batch import Event
from opsfield_agent.check_runner import CheckRunner
from opsfield_agent.collectors import Collector, collectors
from opsfield_agent.inventory import uptime_seconds
from opsfield_agent.jobs import Jobs
from opsfield_agent.log import describe
from opsfield_agent.policy import Policy
from opsfield_agent.schedule import Periodic
from opsfield_agent.spool import Spool

log = logging.getLogger(__name__)

# The rates of the first measurement are over this time.
_FIRST_MEASUREMENT_SECONDS = 1.0
# How often it is seen whether the inventory has changed.
_INVENTORY_LOOK_SECONDS = 60.0
# A new policy is noticed, and a refusal, within this time.
_MOST_WAIT_SECONDS = 1.0


class Collection:
    """A loop for a thread of its own."""

    def __init__(
        self,
        policy: Callable[[], Policy],
        spool: Spool,
        take_inventory: Callable[[], dict[str, Any]],
        *,
        refused: threading.Event,
        spooled: Callable[[], None],
    ) -> None:
        """`spooled` is called after each batch; nothing is collected while `refused` is set."""
        self._policy = policy
        self._spool = spool
        self._take_inventory = take_inventory
        self._refused = refused
        self._spooled = spooled
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._jobs = Jobs()
        self._checks = CheckRunner(self._jobs, self._record)
        self._collectors = collectors()
        self._failing: set[str] = set()
        self._inventory: dict[str, Any] | None = None
        now = clock.steady()
        self._measurements = Periodic(now, first_after=_FIRST_MEASUREMENT_SECONDS)
        self._inventory_looks = Periodic(now, first_after=0)
        self._inventory_reports = Periodic(now, first_after=0)
        # At a random point of the interval: machines that start together do not send together.
        self._batches = Periodic(now, first_after=dice.uniform(0, policy().send_seconds), jitter=True)

    def stop(self) -> None:
        """End the loop."""
        self._stop.set()

    def run(self) -> None:
        """Until it is stopped."""
        wait = 0.0
        while not self._stop.wait(wait):
            try:
                wait = self._step()
            except Exception as error:
                log.error("Collecting failed: %s", describe(error))
                wait = _MOST_WAIT_SECONDS

    def write_batch(self) -> None:
        """Put what was observed, and that the agent is alive, into the spool."""
        with self._lock:
            events, self._events = self._events, []
        alive = {"type": "heartbeat", "uptimeSeconds": int(uptime_seconds()), "agentVersion": __version__}
        self._spool.append(batch.write([*events, Event(clock.steady(), alive)]))
        self._spooled()

    def _step(self) -> float:
        """Do what is due; returns the seconds until something is again."""
        if self._refused.is_set():
            with self._lock:
                self._events.clear()
            return _MOST_WAIT_SECONDS
        policy = self._policy()
        now = clock.steady()
        self._report_inventory(policy, now)
        if self._measurements.take(now, policy.metrics_seconds):
            self._measure(policy)
        next_check = self._checks.tick(policy.checks)
        if self._batches.take(now, policy.send_seconds) or len(self._events) >= batch.MOST_EVENTS:
            self.write_batch()
        next_at = min(
            self._measurements.due_at(policy.metrics_seconds), self._batches.due_at(policy.send_seconds), next_check
        )
        return min(max(0.0, next_at - clock.steady()), _MOST_WAIT_SECONDS)

    def _record(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)

    def _measure(self, policy: Policy) -> None:
        for name in policy.collectors:
            if not self._jobs.start(f"collector {name}", partial(self._run, name, self._collectors[name])):
                self._complain(name, "it still has not ended the measurement before")

    def _run(self, name: str, collector: Collector) -> None:
        # All that one measurement sees is of one moment.
        at = clock.steady()
        try:
            for fields in collector():
                self._record(Event(at, fields))
        except Exception as error:
            self._complain(name, describe(error))
        else:
            self._failing.discard(name)

    def _complain(self, name: str, why: str) -> None:
        if name not in self._failing:
            log.warning("The collector %s gives nothing: %s", name, why)
        self._failing.add(name)

    def _report_inventory(self, policy: Policy, now: float) -> None:
        is_due = self._inventory_reports.take(now, policy.inventory_seconds)
        if not self._inventory_looks.take(now, _INVENTORY_LOOK_SECONDS) and not is_due:
            return
        try:
            inventory = self._take_inventory()
        except Exception as error:
            self._complain("inventory", describe(error))
            return
        self._failing.discard("inventory")
        if is_due or inventory != self._inventory:
            self._inventory = inventory
            self._record(Event(now, {"type": "inventory", "inventory": inventory}))
