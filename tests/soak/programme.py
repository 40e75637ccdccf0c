"""The programme: a minute as fast as everybody can, then at half of that, with samples and ageing rows; then the
verdict, and the books as the storm keeps them."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from devstack.layout import KAFKA
from tests.agents import Fleet
from tests.faults.storm import books as checked
from tests.faults.storm.load import Books, Load, Pace
from tests.platform import Platform
from tests.soak import ageing, verdict
from tests.soak.samples import Sample, take
from tests.soak.verdict import Course

WORKSPACES = ("soak-a", "soak-b", "soak-c")
_FULL_SECONDS = 60.0
_SAMPLE_SECONDS = 20.0
_AGE_SECONDS = 120.0
# A tenth, or so many megabytes, files, connections: less is what memory and pools do when nothing leaks.
_SHARE = 0.10
_MEGABYTES, _FILES, _CONNECTIONS, _ROW_BYTES = 12.0, 16.0, 4.0, 1000.0
# It keeps what it was sent in memory: Apache Kafka is not in the run.
_GROWS = {KAFKA}
_MOST_DEAD = 0.5


class Soak:
    """One run over a data folder."""

    def __init__(self, folder: Path, *, minutes: float, report: Callable[[str], None]) -> None:
        self._folder = folder
        self._seconds = 60 * minutes
        self._report = report
        self._samples: list[Sample] = []
        self._aged = 0
        # All samples, one a line.
        self._kept = folder / "samples.jsonl"

    def run(self) -> dict[str, float]:
        """Counts and rates for the report. Raises AssertionError with what grew, or does not add up."""
        with Platform(self._folder) as platform, ExitStack() as opened:
            fleet, books, over, pace = opened.enter_context(Fleet(platform)), Books(), threading.Event(), Pace()
            loads = [opened.enter_context(Load(platform, fleet, books, name, over, pace)) for name in WORKSPACES]
            workers = [worker for load in loads for worker in load.workers()]
            with ThreadPoolExecutor(len(workers)) as threads:
                working = [threads.submit(worker) for worker in workers]
                try:
                    full = pace.halve(books, seconds=_FULL_SECONDS)
                    self._report(f"full load: {full:.0f} requests/s; half of it from now on")
                    self._watch(platform, books)
                finally:
                    over.set()
                for each in working:
                    each.result()
            grew = self._verdict()
            found = checked.check(platform, books, loads, keys_are_kept=False)
            left = ageing.still_old(platform)
        assert not grew, "grew: " + "; ".join(map(str, grew))
        return {**found, "requests/s at full load": full, "rows aged": self._aged, "aged rows not swept yet": left}

    def _watch(self, platform: Platform, books: Books) -> None:
        began = time.monotonic()
        next_ageing = began + _AGE_SECONDS
        while (now := time.monotonic()) < began + self._seconds:
            sample = take(platform, began)
            self._samples.append(sample)
            with self._kept.open("a") as file:
                file.write(json.dumps(asdict(sample)) + "\n")
            self._report(
                f"{books.requests:,} requests; {sum(sample.megabytes.values()):.0f} MB, "
                f"{sum(sample.files.values())} files, {sum(sample.connections.values())} connections"
            )
            if now >= next_ageing:
                self._aged += ageing.age(platform)
                next_ageing = now + _AGE_SECONDS
            time.sleep(_SAMPLE_SECONDS)

    def _verdict(self) -> list[Course]:
        """What grew."""
        grew: list[Course] = []
        for title, kind, least in (
            ("own memory, MB", "megabytes", _MEGABYTES),
            ("open files", "files", _FILES),
            ("connections", "connections", _CONNECTIONS),
            ("tables under retention, bytes for each row", "row_bytes", _ROW_BYTES),
        ):
            self._report(title)
            for course in verdict.courses([getattr(sample, kind) for sample in self._samples]):
                if course.most >= 1:
                    self._report(f"  {course}")
                if course.name not in _GROWS and course.grew(share=_SHARE, least=least):
                    grew.append(course)
        self._report("dead rows, share of the table")
        for course in verdict.courses([sample.dead_share for sample in self._samples]):
            if course.most > _MOST_DEAD / 5:
                self._report(f"  {course.name:<36} {course.last:.2f}   at most {course.most:.2f}")
            if course.last > _MOST_DEAD:
                grew.append(course)
        return grew
