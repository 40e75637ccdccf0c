"""Everything that must be true together, in one PostgreSQL transaction: the idempotency key with its answer, the
change, its events in the outbox, its audit record.

Kill the process at any instant and either all of it happened or none of it did; a retry with the same key then gets
the first answer, or does the work for the first time. Nothing else in the platform commits.

Failures are not remembered: they changed nothing, so a retry with the same key is looked at afresh (as Stripe's API
v2 does it).
"""

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, TypeVar

import asyncpg
from google.protobuf.message import Message

from kit import clock, contract, faults, ids
from kit.call import Call
from kit.database import Connection, Database, Session
from kit.errors import Conflict, Invalid
from kit.events import Event, ReceivedEvent, compose

_CLAIM_KEY = """
INSERT INTO idempotency_keys (workspace_id, principal, key, fingerprint, created_at)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING true
"""
_FIRST_ANSWER = """
SELECT fingerprint, response FROM idempotency_keys WHERE workspace_id = $1 AND principal = $2 AND key = $3
"""
_CLAIM_EVENTS = """
INSERT INTO inbox (workspace_id, consumer, event_id, received_at)
SELECT $1, $2, event_id, $4 FROM unnest($3::text[]) AS event_id ON CONFLICT DO NOTHING RETURNING event_id
"""
# One statement, so one round trip: events, audit record and the answer under the key.
_FINISH = """
WITH events AS (
    INSERT INTO outbox (workspace_id, id, topic, key, payload, correlation_id, created_at, next_attempt_at)
    SELECT $1, event.id, event.topic, event.key, event.payload::jsonb, event.correlation_id, event.created_at,
        event.created_at
    FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $17::text[])
        WITH ORDINALITY AS event (id, topic, key, payload, created_at, correlation_id, position)
    ORDER BY event.position
), audited AS (
    INSERT INTO audit_entries
        (workspace_id, id, occurred_at, subject, roles, operation, resource_id, version, correlation_id)
    SELECT $1, changed.id, $9, $10, $11::text[], $12, changed.resource_id, changed.version, $2
    FROM unnest($8::uuid[], $13::text[], $14::bigint[]) AS changed (id, resource_id, version)
)
UPDATE idempotency_keys SET response = $15 WHERE workspace_id = $1 AND principal = $10 AND key = $16
"""


T = TypeVar("T")


class UnitOfWork(Session):
    """A session that may change rows. `replay` is the first answer when the key has been used for this before."""

    def __init__(self, connection: Connection, call: Call, service: str) -> None:
        super().__init__(connection, call)
        # The one instant of everything this unit of work writes.
        self.now = clock.now()
        self.replay: bytes | None = None
        self.emitted = False
        self._service = service
        self._events: list[Event] = []
        self._response: bytes | None = None
        self._audited: dict[str | None, int | None] = {}
        self._looked_up: dict[Hashable, Any] = {}
        self._afterwards: list[Callable[[], None]] = []
        # Tables and ids of what is known to be there, and stays so until the end.
        self.held: set[tuple[str, str]] = set()

    async def execute(self, query: str, *arguments: Any) -> str:
        return await self._connection.execute(query, *arguments)

    async def copy(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], *, schema: str) -> None:
        """Insert rows with COPY: by far the fastest way, but not one for tables under row-level security."""
        await self._connection.copy_records_to_table(table, records=rows, columns=columns, schema_name=schema)
        faults.point("after-copy")

    def emit(self, message: Message, *, key: str) -> None:
        """Tell the world of it, once this is committed. `key`: id of the resource; its events keep their order,
        provided its row was written or locked in this transaction before."""
        self._events.append(compose(message, key=key, service=self._service, call=self.call))
        self.emitted = True

    def afterwards(self, action: Callable[[], None]) -> None:
        """Call this once all is committed: to wake someone who looks at the rows, say. A crash in between loses it."""
        self._afterwards.append(action)

    def audit(self, resource_id: str | None, version: int | None) -> None:
        """Write down that the caller changed this, and to which version; once for each resource."""
        self._audited[resource_id] = version

    @property
    def is_audited(self) -> bool:
        return bool(self._audited)

    def answer(self, response: bytes) -> None:
        """What a replay of the key will get."""
        self._response = response

    async def once(self, key: Hashable, look_up: Callable[[], Awaitable[T]]) -> T:
        """What `look_up` finds, looked up once in this unit of work: for what a lock holds as it is until the end."""
        if key not in self._looked_up:
            self._looked_up[key] = await look_up()
        found: T = self._looked_up[key]
        return found

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        """A part that may fail without the rest: what it wrote is undone when the block raises (a savepoint)."""
        events, actions, audited = len(self._events), len(self._afterwards), dict(self._audited)
        # Locks that are taken in it go with it.
        looked_up, held = dict(self._looked_up), set(self.held)
        await self.execute("SAVEPOINT attempt")
        try:
            yield
        except BaseException:
            await self.execute("ROLLBACK TO SAVEPOINT attempt")
            del self._events[events:], self._afterwards[actions:]
            self._audited, self._looked_up, self.held = audited, looked_up, held
            raise
        await self.execute("RELEASE SAVEPOINT attempt")

    @asynccontextmanager
    async def part(self, call: Call) -> AsyncIterator["UnitOfWork"]:
        """What another call does in this transaction, committed with the rest: its caller, its events, its audit
        records, and its instant are its own."""
        part = UnitOfWork(self._connection, call, self._service)
        yield part
        # All events go out with the last statement: one for many parts, and in the order in which they were emitted.
        self._events += part._events
        part._events = []
        await part.finish()
        self.emitted |= part.emitted
        self._afterwards += part._afterwards

    async def claim_key(self, fingerprint: bytes, *others: bytes) -> None:
        """Make the key ours, or set `replay`. `others`: the same request's fingerprint under keys that are not current.
        Raises Conflict while its first use is in flight, Invalid when it was used for something else."""
        principal, key = self.call.principal.subject, self.call.idempotency_key
        faults.point("before-key")
        try:
            claimed = await self.fetchval(_CLAIM_KEY, self.call.workspace_id, principal, key, fingerprint, self.now)
        except asyncpg.LockNotAvailableError as error:
            raise Conflict(
                "A request with this idempotency key is still being worked on; try again.",
                code="idempotency-key-in-flight",
                retry_after=1,
            ) from error
        faults.point("after-key")
        if claimed:
            return
        first = await self.fetchrow(_FIRST_ANSWER, self.call.workspace_id, principal, key)
        assert first is not None, "a key that conflicts is visible: same workspace, committed"
        if first["fingerprint"] not in (fingerprint, *others):
            raise Invalid(
                "This idempotency key was used for another request; use a new key.", code="idempotency-key-reused"
            )
        self.replay = first["response"]

    async def claim_events(self, consumer: str, events: Sequence[ReceivedEvent]) -> set[str]:
        """The ids of those that this consumer sees for the first time; all are of this workspace."""
        faults.point("before-inbox")
        event_ids = [event.id for event in events]
        claimed = await self.fetch(_CLAIM_EVENTS, self.call.workspace_id, consumer, event_ids, self.now)
        faults.point("after-inbox")
        return {row["event_id"] for row in claimed}

    def committed(self) -> None:
        for action in self._afterwards:
            action()

    async def finish(self) -> None:
        """Write what goes with the change; the commit follows."""
        faults.point("after-effect")
        principal = self.call.principal
        if self._events or self._audited or self._response is not None:
            await self.execute(
                _FINISH,
                self.call.workspace_id,
                self.call.correlation_id,
                [event.id for event in self._events],
                [event.topic for event in self._events],
                [event.key for event in self._events],
                [event.body for event in self._events],
                [event.created_at for event in self._events],
                [ids.new_id() for _ in self._audited],
                self.now,
                principal.subject,
                sorted(principal.roles),
                self.call.method,
                list(self._audited),
                list(self._audited.values()),
                self._response,
                self.call.idempotency_key,
                [event.correlation_id for event in self._events],
            )
        faults.point("after-outbox")


@asynccontextmanager
async def unit_of_work(database: Database, call: Call, *, service: str) -> AsyncIterator[UnitOfWork]:
    """One transaction in the call's workspace: committed when the block ends, rolled back when it raises."""
    async with database.transaction_of(call) as connection:
        work = UnitOfWork(connection, call, service)
        yield work
        if work.replay is None:
            await work.finish()
        faults.point("before-commit")
    faults.point("after-commit")
    work.committed()


def fingerprint(call: Call, request: Message, key: bytes) -> bytes:
    """What an idempotency key stands for: the route and the canonical body. Principal and workspace are part of the
    key's place. Where the body holds a secret the hash is keyed, since whoever reads the table could try guesses on a
    bare one; the others are not, so that a service's new `key` leaves its clients' retries alone."""
    content = call.method.encode() + b"\0" + _lasting(request).SerializeToString(deterministic=True)
    if contract.holds_secret(request.DESCRIPTOR):
        return hmac.digest(key, content, "sha256")
    return sha256(content).digest()


def _lasting(request: Message) -> Message:
    """The request without what may differ when it is sent again."""
    incidental = [each.name for each, _ in request.ListFields() if contract.field_options(each).incidental]
    if not incidental:
        return request
    lasting = type(request)()
    lasting.CopyFrom(request)
    for name in incidental:
        lasting.ClearField(name)
    return lasting
