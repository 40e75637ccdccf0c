"""Sends what is spooled: strictly in order, one batch at a time, until each is taken."""

import logging
import threading

from opsfield_agent import clock
from opsfield_agent.api import Api, Taken
from opsfield_agent.backoff import Backoff, dice
from opsfield_agent.batch import Batch
from opsfield_agent.errors import Later, NeverTaken, Refused
from opsfield_agent.log import describe, one_line
from opsfield_agent.policy import PolicyStore
from opsfield_agent.progress import ProgressFile
from opsfield_agent.spool import Spool, Spooled

log = logging.getLogger(__name__)

_POLICY_PAUSE_SECONDS = 60.0

REFUSED_SECONDS = (15 * 60.0, 60 * 60.0)
"""Between which times a refused agent asks again whether it is known."""


class Sender:
    """A loop for a thread of its own."""

    def __init__(self, api: Api, spool: Spool, policies: PolicyStore, progress: ProgressFile) -> None:
        self._api = api
        self._spool = spool
        self._policies = policies
        self._progress = progress
        self._backoff = Backoff()
        self._wake = threading.Event()
        self._stop = threading.Event()
        # Set while the platform refuses this agent: nothing is to be collected then.
        self.refused = threading.Event()
        self._version_asked_for: str | None = None
        self._policy_not_before = 0.0
        self._trouble: str | None = None
        self._trouble_since = 0.0

    def wake(self) -> None:
        """There is something to send."""
        self._wake.set()

    def stop(self) -> None:
        """End the loop after the request that is under way."""
        self._stop.set()
        self._wake.set()

    def run(self) -> None:
        """Until it is stopped. The first batch of this run starts it, so that a fleet does not begin all at once."""
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            while not self._stop.is_set() and self._is_work_left():
                self._work()

    def _is_work_left(self) -> bool:
        return self._spool.oldest() is not None

    def _work(self) -> None:
        try:
            self._send_oldest()
        except Later as trouble:
            self._pause(str(trouble), trouble.retry_after)
        except Refused as refusal:
            self._wait_until_known(str(refusal))
        except Exception as error:
            self._pause(f"Sending failed: {describe(error)}", None)

    def _send_oldest(self) -> None:
        spooled = self._spool.oldest()
        batch = self._spool.load(spooled) if spooled is not None else None
        if spooled is None or batch is None:
            return
        try:
            taken = self._api.ingest(batch)
        except NeverTaken as error:
            sentence = f"The platform will never take batch {batch.key}, it is put aside ({error})"
            log.error("%s", sentence)
            self._spool.reject(spooled)
            self._progress.put_aside()
            self._progress.failed(sentence)
            return
        self._spool.remove(spooled)
        self._after(spooled, batch, taken)

    def _after(self, spooled: Spooled, batch: Batch, taken: Taken) -> None:
        self._backoff.after_success()
        self._progress.sent(taken.accepted, taken.rejected)
        log.debug("Sent batch %d with %d events", spooled.sequence, batch.events)
        if self._trouble is not None:
            log.info("Sending works again, after %.0f s", clock.steady() - self._trouble_since)
            self._trouble = None
        if taken.rejected:
            reasons = one_line("; ".join(taken.errors[:3]), 300)
            log.warning("The platform rejected %d of %d events: %s", taken.rejected, batch.events, reasons)
        self._follow(taken.policy_version)

    def _follow(self, announced: str | None) -> None:
        if announced is None or announced == self._policies.current.version:
            self._version_asked_for = None
            return
        # Once for each: the answer to a batch that had been sent before may tell of an older version.
        if announced == self._version_asked_for or clock.steady() < self._policy_not_before:
            return
        if self._fetch_policy():
            self._version_asked_for = announced

    def _fetch_policy(self) -> bool:
        try:
            found = self._api.policy(self._policies.etag)
        except Later as trouble:
            # Batches go on: what comes of the next one tells of the version again.
            log.warning("%s", trouble)
            seconds = max(trouble.retry_after or 0.0, _POLICY_PAUSE_SECONDS)
            self._policy_not_before = clock.steady() + seconds
            return False
        if found is not None:
            self._policies.take(*found)
        self._progress.policy(self._policies.current.version)
        return True

    def _pause(self, sentence: str, retry_after: float | None) -> None:
        seconds = self._backoff.after_failure(retry_after)
        if sentence != self._trouble:
            log.warning("%s; trying again in %.0f s", sentence, seconds)
        if self._trouble is None:
            self._trouble_since = clock.steady()
        self._trouble = sentence
        self._progress.failed(sentence)
        self._stop.wait(seconds)

    def _wait_until_known(self, sentence: str) -> None:
        log.error("%s Nothing is collected or sent until it is known again.", sentence)
        self.refused.set()
        self._progress.failed(sentence, refused=True)
        while not self._stop.wait(dice.uniform(*REFUSED_SECONDS)):
            try:
                self._api.renew()
            except (Later, Refused) as error:
                log.debug("Still refused: %s", error)
            else:
                log.info("The platform knows this agent again")
                self._progress.known_again()
                self.refused.clear()
                return
