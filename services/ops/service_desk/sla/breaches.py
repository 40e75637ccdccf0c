"""Finds promises that are broken because nothing happened, records them and tells the world, once for each.

Every replica may run a sweep: whoever locks a ticket first records the breach, with its event, in one transaction, and
the others pass over it. Nothing is remembered between rounds: what fell due while nobody looked is found by the next
round as well as by the first.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import asyncpg

from kit import clock as time
from kit import ids
from kit.call import Call
from kit.database import DATABASE_ERRORS, Database, relay_connection
from kit.errors import Problem
from kit.identity import Principal
from kit.live_settings import DefaultSettings
from kit.logs import get_logger
from kit.unit_of_work import unit_of_work
from services.ops.service_desk.sla import clock
from services.ops.service_desk.tickets.handlers import TicketHandlers
from services.ops.service_desk.tickets.kind import TICKETS

SUBJECT = "system:sla"
_METHOD = "/opsfield.ops.sla/BreachSweep"
_BATCH = 200
_LONGEST_PAUSE = 1.0
_SHORTEST_PAUSE = 0.02

# One query for each index: an OR over both would read neither.
_DUE_WORKSPACES = """
(SELECT workspace_id FROM tickets
 WHERE first_response_due_at <= $1 AND first_response_breached_at IS NULL AND deleted_at IS NULL
 ORDER BY first_response_due_at LIMIT 1000)
UNION ALL
(SELECT workspace_id FROM tickets
 WHERE resolution_due_at <= $1 AND resolution_breached_at IS NULL AND deleted_at IS NULL
 ORDER BY resolution_due_at LIMIT 1000)
"""
_NEXT_DUE = """
SELECT least(
    (SELECT min(first_response_due_at) FROM tickets
     WHERE first_response_due_at > $1 AND first_response_breached_at IS NULL AND deleted_at IS NULL),
    (SELECT min(resolution_due_at) FROM tickets
     WHERE resolution_due_at > $1 AND resolution_breached_at IS NULL AND deleted_at IS NULL)
)
"""
_IS_DUE = """(
    first_response_due_at <= $2 AND first_response_breached_at IS NULL
    OR resolution_due_at <= $2 AND resolution_breached_at IS NULL
)"""
_DUE = f"""
SELECT id FROM tickets WHERE workspace_id = $1 AND deleted_at IS NULL AND {_IS_DUE}
AND id <> ALL ($3::uuid[]) ORDER BY id LIMIT {_BATCH}
"""
_TAKE = f"""
SELECT id FROM tickets WHERE workspace_id = $1 AND deleted_at IS NULL AND {_IS_DUE} AND id = $3
FOR UPDATE SKIP LOCKED
"""

# It deletes nothing, so it need not know what refers to tickets; it reopens none, so settings do not matter.
_TICKETS = TicketHandlers(TICKETS, (), DefaultSettings())

log = get_logger(__name__)


async def find_and_mark(database: Database, workspace_id: str) -> int:
    """Record the breaches of one workspace that are due by now, each ticket in a unit of work of its own: how many
    tickets. One that another sweep or a change has hold of is left to the next round. Raises Unavailable when the
    database cannot be reached."""
    marked, tried = 0, list[str]()
    while batch := await _due(database, workspace_id, tried):
        tried += batch
        for ticket_id in batch:
            try:
                marked += await _mark(database, workspace_id, ticket_id)
            except Problem as problem:
                if problem.status >= 500:
                    raise
                log.warning("breach not recorded yet", ticket=ticket_id, reason=problem.detail)
    return marked


class BreachSweep:
    """Run with `run()` until cancelled. `relay_url` is the role that may see of all workspaces when something is due;
    `database` is the service's own, through which everything else goes."""

    def __init__(self, database: Database, relay_url: str) -> None:
        self._database = database
        self._relay_url = relay_url

    async def run(self) -> None:
        """Never returns; trouble with the database is logged, waited out and begun afresh."""
        while True:
            try:
                await self._sweep_while_connected()
            except (*DATABASE_ERRORS, Problem) as error:
                log.warning("search for breaches interrupted", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(_LONGEST_PAUSE)

    async def _sweep_while_connected(self) -> None:
        async with relay_connection(self._relay_url) as connection:
            while True:
                await asyncio.sleep(await self._round(connection))

    async def _round(self, connection: "asyncpg.Connection[asyncpg.Record]") -> float:
        """Look once: the seconds until the next look."""
        now = time.now()
        due_now = await connection.fetch(_DUE_WORKSPACES, now)
        for workspace_id in dict.fromkeys(row["workspace_id"] for row in due_now):
            marked = await find_and_mark(self._database, workspace_id)
            if marked:
                log.info("promises broken", workspace=workspace_id, tickets=marked)
        due: datetime | None = await connection.fetchval(_NEXT_DUE, now)
        if due is None:
            return _LONGEST_PAUSE
        return min(max((due - time.now()).total_seconds(), _SHORTEST_PAUSE), _LONGEST_PAUSE)


async def _due(database: Database, workspace_id: str, tried: Sequence[str]) -> list[str]:
    async with database.read(_call(workspace_id)) as session:
        rows = await session.fetch(_DUE, workspace_id, time.now(), tried)
    return [row["id"] for row in rows]


async def _mark(database: Database, workspace_id: str, ticket_id: str) -> bool:
    async with unit_of_work(database, _call(workspace_id), service="ops") as work:
        if not await work.fetchval(_TAKE, workspace_id, work.now, ticket_id):
            return False
        before = await _TICKETS.lock(work, ticket_id)
        await _TICKETS.amend(work, before, lambda row: clock.note_breaches(row, work.now))
    return True


def _call(workspace_id: str) -> Call:
    return Call(
        method=_METHOD, principal=Principal(SUBJECT, workspace_id=workspace_id), correlation_id=f"sla-{ids.new_id()}"
    )
