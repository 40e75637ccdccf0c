"""The SQL of nodes, and of the runs that they are given. Silence is measured by the database's clock, as leases are."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from kit.database import Session
from kit.unit_of_work import UnitOfWork
from services.agent_runtime.jobs.store import RelayConnection
from services.agent_runtime.nodes.offer import Json, Offer
from services.agent_runtime.nodes.wire import Registration

_COLUMNS = """name, agent_key_id, instance_id, base_url, version, offers, state::text AS state, last_heard_at,
created_at, is_unreachable, last_heard_at < now() - make_interval(secs => $2) AS is_silent,
coalesce(leaves_at < now() - interval '5 seconds', false) AS is_gone"""
_GET = f"SELECT {_COLUMNS} FROM nodes WHERE workspace_id = $1 AND name = $3"
_LOCK = f"{_GET} FOR NO KEY UPDATE"
_HOLD = f"{_GET} FOR SHARE"
_ALL = f"SELECT {_COLUMNS} FROM nodes WHERE workspace_id = $1 ORDER BY name"
_COUNT = "SELECT count(*) FROM nodes WHERE workspace_id = $1"
_FORGET = "DELETE FROM nodes WHERE workspace_id = $1 AND last_heard_at < now() - interval '7 days'"
_PUT = """
INSERT INTO nodes (workspace_id, name, agent_key_id, instance_id, base_url, version, offers, state, last_heard_at,
    created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'present', now(), $8)
ON CONFLICT (workspace_id, name) DO UPDATE SET agent_key_id = excluded.agent_key_id,
    instance_id = excluded.instance_id, base_url = excluded.base_url, version = excluded.version,
    offers = excluded.offers, state = 'present', leaves_at = NULL, last_heard_at = now(), is_unreachable = false
WHERE nodes.agent_key_id = excluded.agent_key_id OR nodes.agent_key_id = $9
RETURNING true
"""
_HEAR = """
UPDATE nodes SET last_heard_at = now(), is_unreachable = false, state = 'present', leaves_at = NULL
WHERE workspace_id = $1 AND name = $2 AND (
    last_heard_at < now() - make_interval(secs => $3) OR is_unreachable OR state = 'left'
)
"""
_LEAVE = """
UPDATE nodes SET state = 'left', leaves_at = now() + make_interval(secs => $3) WHERE workspace_id = $1 AND name = $2
"""
_OF_KEY = "SELECT name FROM nodes WHERE workspace_id = $1 AND agent_key_id = $2 ORDER BY name FOR NO KEY UPDATE"
_MISSED = """
UPDATE nodes SET is_unreachable = true WHERE workspace_id = $1 AND name = $2 AND instance_id = $3
"""
_COUNTS = """
SELECT count(*) AS remote_agents, count(*) FILTER (
    WHERE state = 'present' AND NOT is_unreachable AND last_heard_at >= now() - make_interval(secs => $2)
) AS reachable_remote_agents
FROM nodes WHERE workspace_id = $1
"""

_BEGIN = """
INSERT INTO remote_runs
    (workspace_id, lease, job_id, node, agent_key_id, instance_id, version, result_schema, started_at)
SELECT $1, $2, id, $3, $4, $5, $6, $7, $8 FROM jobs
WHERE workspace_id = $1 AND agent = $3 AND state = 'running' AND lease = $2
RETURNING true
"""
_RUN = """
SELECT lease, job_id, node, agent_key_id, instance_id, version, result_schema, acknowledged_at, status::text AS status
FROM remote_runs WHERE workspace_id = $1 AND lease = $2
"""
_ACKNOWLEDGE = "UPDATE remote_runs SET acknowledged_at = $3 WHERE workspace_id = $1 AND lease = $2"
_END = "UPDATE remote_runs SET status = $3 WHERE workspace_id = $1 AND lease = $2 AND status IS NULL RETURNING true"
_GOING_ON = """
SELECT run.lease, run.job_id FROM jobs
JOIN remote_runs AS run ON run.workspace_id = jobs.workspace_id AND run.lease = jobs.lease
WHERE jobs.workspace_id = $1 AND jobs.agent = $2 AND jobs.state = 'running' AND run.status IS NULL
    AND run.instance_id IS DISTINCT FROM $3
ORDER BY run.job_id
"""
_COUNTS_FOR_JOB = "SELECT true FROM jobs WHERE workspace_id = $1 AND id = $2 AND lease = $3"

# Of all workspaces, as the relay's role: columns as the migration grants them.
_AWAY = """
SELECT workspace_id, name, state::text AS state, last_heard_at, is_unreachable FROM nodes
WHERE state = 'left' OR is_unreachable OR last_heard_at < now() - make_interval(secs => $1)
"""
_LOSING = """
SELECT DISTINCT nodes.workspace_id, nodes.name FROM nodes
JOIN jobs ON jobs.workspace_id = nodes.workspace_id AND jobs.agent = nodes.name AND jobs.state = 'running'
WHERE last_heard_at < now() - make_interval(secs => $1) AND nodes.state = 'present' OR leaves_at < now()
"""


@dataclass(frozen=True)
class Node:
    """A row. `is_silent`: for longer than it may be; `is_gone`: it has left, and its time for that is over."""

    name: str
    agent_key_id: str
    instance_id: str
    base_url: str
    version: str
    offers: tuple[Offer, ...]
    state: str
    last_heard_at: datetime
    created_at: datetime
    is_unreachable: bool
    is_silent: bool
    is_gone: bool

    @property
    def is_reachable(self) -> bool:
        return self.state == "present" and not self.is_unreachable and not self.is_silent

    def offer(self, name: str) -> Offer | None:
        return next((each for each in self.offers if each.name == name), None)


@dataclass(frozen=True)
class RemoteRun:
    """A row: one try, at a node. `status` None: it goes on, or counts no more."""

    lease: str
    job_id: str
    node: str
    agent_key_id: str
    instance_id: str
    version: str
    result_schema: Json | None
    acknowledged_at: datetime | None
    status: str | None

    @property
    def known(self) -> Json:
        """Who ran it, for the evidence."""
        return {"name": self.node, "version": self.version, "instance": self.instance_id}


@dataclass(frozen=True)
class Away:
    """A node that nothing can be given now."""

    workspace_id: str
    name: str
    state: str
    last_heard_at: datetime
    is_unreachable: bool


def _node(row: asyncpg.Record | None) -> Node | None:
    return None if row is None else Node(**{**row, "offers": tuple(Offer(**each) for each in row["offers"])})


async def get(session: Session, name: str, silence: float) -> Node | None:
    """`silence`: after how many seconds a node is silent; the same below."""
    return _node(await session.fetchrow(_GET, session.call.workspace_id, silence, name))


async def lock(work: UnitOfWork, name: str, silence: float) -> Node | None:
    return _node(await work.fetchrow(_LOCK, work.call.workspace_id, silence, name))


async def hold(work: UnitOfWork, name: str, silence: float) -> Node | None:
    """The node, as it stays until the end of the unit of work."""
    return _node(await work.fetchrow(_HOLD, work.call.workspace_id, silence, name))


async def every(session: Session, silence: float) -> list[Node]:
    rows = await session.fetch(_ALL, session.call.workspace_id, silence)
    return [node for row in rows if (node := _node(row))]


async def count(session: Session) -> int:
    return int(await session.fetchval(_COUNT, session.call.workspace_id))


async def forget(work: UnitOfWork) -> None:
    """Delete those of which nothing was heard for 7 days."""
    await work.execute(_FORGET, work.call.workspace_id)


async def counts(session: Session, silence: float) -> dict[str, int]:
    """`remote_agents` and `reachable_remote_agents`."""
    return dict(await session.fetchrow(_COUNTS, session.call.workspace_id, silence) or {})


async def put(work: UnitOfWork, asked: Registration, *, key_id: str, in_place_of: str | None) -> bool:
    """Add or replace the node. False when meanwhile it has become one of another key than `in_place_of`."""
    return bool(
        await work.fetchval(
            _PUT,
            work.call.workspace_id,
            asked.name,
            key_id,
            asked.instance_id,
            asked.base_url,
            asked.version,
            [each.to_json() for each in asked.offers],
            work.now,
            in_place_of,
        )
    )


async def hear(work: UnitOfWork, name: str, every_seconds: float) -> None:
    """It was heard of just now; written once in so many seconds."""
    await work.execute(_HEAR, work.call.workspace_id, name, every_seconds)


async def leave(work: UnitOfWork, name: str, grace_seconds: float) -> None:
    await work.execute(_LEAVE, work.call.workspace_id, name, grace_seconds)


async def lock_of_key(work: UnitOfWork, key_id: str) -> list[str]:
    """The names of the nodes that registered with a key."""
    return [row["name"] for row in await work.fetch(_OF_KEY, work.call.workspace_id, key_id)]


async def missed(work: UnitOfWork, name: str, instance_id: str) -> None:
    """A call to that instance reached nobody."""
    await work.execute(_MISSED, work.call.workspace_id, name, instance_id)


async def begin(work: UnitOfWork, lease: str, node: Node, offer: Offer) -> bool:
    """The node is given the try. False when it counts no more."""
    return bool(
        await work.fetchval(
            _BEGIN,
            work.call.workspace_id,
            lease,
            node.name,
            node.agent_key_id,
            node.instance_id,
            node.version,
            offer.result_schema,
            work.now,
        )
    )


async def run(session: Session, lease: str) -> RemoteRun | None:
    row = await session.fetchrow(_RUN, session.call.workspace_id, lease)
    return None if row is None else RemoteRun(**row)


async def acknowledge(work: UnitOfWork, lease: str) -> None:
    await work.execute(_ACKNOWLEDGE, work.call.workspace_id, lease, work.now)


async def end(work: UnitOfWork, lease: str, status: str) -> bool:
    """False when it has ended before."""
    return bool(await work.fetchval(_END, work.call.workspace_id, lease, status))


async def counts_for_job(session: Session, run: RemoteRun) -> bool:
    """Whether it is what its job waits for."""
    return bool(await session.fetchval(_COUNTS_FOR_JOB, session.call.workspace_id, run.job_id, run.lease))


async def going_on(session: Session, name: str, *, not_on: str | None) -> list[tuple[str, str]]:
    """Lease and job of each try that the node runs, but those on the instance `not_on`."""
    rows = await session.fetch(_GOING_ON, session.call.workspace_id, name, not_on)
    return [(row["lease"], row["job_id"]) for row in rows]


async def away(connection: RelayConnection, silence: float) -> list[Away]:
    return [Away(**row) for row in await connection.fetch(_AWAY, silence)]


async def losing(connection: RelayConnection, silence: float) -> list[tuple[str, str]]:
    """Workspace and name of nodes that may run something and are silent, or left too long ago."""
    return [(row["workspace_id"], row["name"]) for row in await connection.fetch(_LOSING, silence)]
