"""Runs a sync: clients and invoices go out, payments come in, what was in conflict is tried again, payments go out.

Each kind is paged through from what changed last back to where the sync before has come, the cursor. A page, oldest
first, is a step: what is done there is done before, what became of it is recorded with it. A step that was not recorded
is done again and finds what is there already."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from kit import clock
from kit.database import Database
from services.integrations.accounting import conflicts, links, rules
from services.integrations.accounting.journal import report
from services.integrations.accounting.journal import store as journal
from services.integrations.accounting.outcome import Outcome
from services.integrations.accounting.port import Books, Incoming, Place
from services.integrations.accounting.sending import Sending
from services.integrations.accounting.taking import Taking
from services.integrations.jobs import callers
from services.integrations.jobs.steps import Step
from services.integrations.jobs.store import Job
from services.integrations.ops_client import OpsClient
from services.integrations.ops_kinds import all_kinds

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)

Open = Callable[[Job], Awaitable[Books]]
Progress = dict[str, Any]


class Sync:
    """One sync, run by one worker. Its progress: the `phase`, `since` (from when on to look) and `up_to` (what the
    cursor becomes); of what goes out `offset` and `last`, id and time of the row before it; of what comes in `reached`
    and `page`, the place."""

    def __init__(self, database: Database, ops: OpsClient, open_books: Open) -> None:
        self._database = database
        self._ops = ops
        self._open_books = open_books
        self._books: Books | None = None

    async def step(self, job: Job) -> Step:
        if self._books is None:
            self._books = await self._open_books(job)
        progress = job.progress or {"phase": rules.PHASES[0]}
        async with self._database.read(callers.of_job(job)) as session:
            outcome = Outcome(self._books.name, await journal.last_number(session))
        phase = progress["phase"]
        if phase == "incoming":
            later = await self._take(job, self._books, progress, outcome)
        elif phase == "again":
            later = await self._try_again(job, self._books, outcome)
        else:
            later = await self._send(job, self._books, progress, outcome)
        if later is None and phase != rules.PHASES[-1]:
            later = {"phase": rules.PHASES[rules.PHASES.index(phase) + 1]}
        gain = outcome.gain(job, later or progress, is_last=later is None)
        pieces = []
        if outcome.entries:
            is_first = job.artifact_parts == 0
            pieces = [report.written(outcome.entries, after=outcome.last_number, with_header=is_first)]
        return Step(gain, later is None, pieces, outcome.record)

    async def _send(self, job: Job, books: Books, progress: Progress, outcome: Outcome) -> Progress | None:
        """A page of a kind, oldest first. None: it was the last."""
        kind = progress["phase"]
        if "since" not in progress:
            async with self._database.read(callers.of_job(job)) as session:
                start = rules.since(await links.cursor(session, books.name, kind))
            progress = {**progress, "since": start.isoformat() if start else None}
        since = datetime.fromisoformat(progress["since"]) if progress["since"] else None
        offset, found, is_last = await self._page(job, kind, progress, books.most)
        changed = [_changed_at(each) for each in found]
        if changed:
            progress.setdefault("up_to", changed[0].isoformat())
        count = rules.until_known(changed, since)
        sending = Sending(job, self._database, self._ops, books, outcome)
        await sending.know(kind, [each.id for each in found[:count]])
        for message in reversed(found[:count]):
            await sending.send(kind, message)
        if count == len(found) and not is_last:
            return {**progress, "offset": offset + count, "last": [found[-1].id, changed[-1].isoformat()]}
        if "up_to" in progress:
            outcome.cursors[kind] = datetime.fromisoformat(progress["up_to"])
        return None

    async def _page(self, job: Job, kind: str, progress: Progress, limit: int) -> tuple[int, list[Any], bool]:
        """The offset from which on they stand, the rows, and whether there are no more. What was deleted meanwhile lets
        all behind it move up: so the page begins with what was looked at before, or goes back until it does."""
        if "last" not in progress:
            return 0, *await self._ops.latest(job, all_kinds()[kind], offset=0, limit=limit)
        last_id, last_changed = progress["last"][0], datetime.fromisoformat(progress["last"][1])
        offset = progress["offset"] - 1
        while True:
            found, is_last = await self._ops.latest(job, all_kinds()[kind], offset=offset, limit=limit)
            if found and found[0].id == last_id:
                return offset + 1, found[1:], is_last
            # Of several that changed at the same time it cannot be told which ones were looked at.
            if offset == 0 or (found and _changed_at(found[0]) > last_changed):
                return offset, found, is_last
            offset = max(offset - limit, 0)

    async def _take(self, job: Job, books: Books, progress: Progress, outcome: Outcome) -> Progress | None:
        if "since" not in progress:
            async with self._database.read(callers.of_job(job)) as session:
                start = rules.since(await links.cursor(session, books.name, "incoming"))
            progress = {**progress, "since": (start or _BEGINNING).isoformat(), "up_to": clock.now().isoformat()}
        since = datetime.fromisoformat(str(progress["since"]))
        reached = datetime.fromisoformat(progress["reached"]) if "reached" in progress else since
        changes = await books.changes(since, Place(reached, progress.get("page", 0)))
        await Taking(job, self._database, self._ops, books, outcome).take(changes)
        if (later := changes.following) is not None:
            return {**progress, "reached": later.reached.isoformat(), "page": later.page}
        outcome.cursors["incoming"] = datetime.fromisoformat(progress["up_to"])
        return None

    async def _try_again(self, job: Job, books: Books, outcome: Outcome) -> Progress | None:
        """What was in conflict before this sync and was not looked at in it."""
        async with self._database.read(callers.of_job(job)) as session:
            found = await conflicts.open_before(session, books.name, job.id, books.most)
        sending = Sending(job, self._database, self._ops, books, outcome)
        taking = Taking(job, self._database, self._ops, books, outcome)
        for each in found:
            if each["kind"] == "incoming":
                await taking.take_payment(Incoming(**each["incoming"]))
            else:
                await sending.send_again(each["kind"], each["subject"])
            # Neither solved nor as it was: a draft by now, say.
            if not {(each["kind"], each["subject"])} & (outcome.solved | outcome.differences.keys()):
                outcome.solve(each["kind"], each["subject"])
        return {"phase": "again"} if len(found) == books.most else None


def _changed_at(message: Any) -> datetime:
    changed: datetime = message.updated_at.ToDatetime(tzinfo=UTC)
    return changed
