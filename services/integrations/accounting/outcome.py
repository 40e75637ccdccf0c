"""What a step of a sync comes to, gathered while it is done and recorded at once."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kit.unit_of_work import UnitOfWork
from services.integrations.accounting import conflicts, links
from services.integrations.accounting.journal import store as journal
from services.integrations.accounting.port import Entry, Link
from services.integrations.accounting.rules import Difference
from services.integrations.jobs.steps import LeaseLostError
from services.integrations.jobs.store import Gain, Job


@dataclass
class Outcome:
    """`last_number`: of the journal's latest entry before the step."""

    books: str
    last_number: int
    links: dict[tuple[str, str, str], Link] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    differences: dict[tuple[str, str], Difference] = field(default_factory=dict)
    solved: set[tuple[str, str]] = field(default_factory=set)
    cursors: dict[str, datetime] = field(default_factory=dict)
    done: int = 0
    created: int = 0
    updated: int = 0
    failed: int = 0

    def link(self, provider: str, kind: str, link: Link, *, is_new: bool, entries: Iterable[Entry] = ()) -> None:
        self.links[provider, kind, link.resource_id] = link
        self.entries += entries
        self.created += is_new
        self.updated += not is_new

    def note(self, provider: str, kind: str, link: Link) -> None:
        """What is known of it; nothing has become of it."""
        self.links[provider, kind, link.resource_id] = link

    def differs(self, difference: Difference) -> None:
        self.differences[difference.kind, difference.subject] = difference
        self.failed += 1

    def solve(self, kind: str, *subjects: str) -> None:
        self.solved |= {(kind, subject) for subject in subjects}

    def gain(self, job: Job, progress: dict[str, Any], *, is_last: bool) -> Gain:
        counts = {"failed": self.failed, "created": self.created, "updated": self.updated}
        return Gain(progress, self.done, **counts, total=job.rows_done + self.done if is_last else None)

    async def record(self, work: UnitOfWork, job: Job) -> None:
        """Raises LeaseLostError when somebody else has booked something meanwhile, who can only be another worker."""
        for (provider, kind, _), link in self.links.items():
            await links.put(work, provider, kind, link)
        await conflicts.solve(work, self.books, self.solved - self.differences.keys(), job.id)
        for difference in self.differences.values():
            await conflicts.put(work, self.books, difference, job.id)
        for kind, up_to in self.cursors.items():
            await links.set_cursor(work, self.books, kind, up_to)
        try:
            await journal.add(work, self.entries, after=self.last_number, job_id=job.id)
        except journal.OutOfStepError as error:
            raise LeaseLostError from error
