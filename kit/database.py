"""PostgreSQL as a service uses it: one pool per role, and every query inside the transaction of one workspace.

Row-level security compares each row's `workspace_id` with the setting `opsfield.workspace_id`, which is set for one
transaction only: a connection that goes back to the pool remembers no workspace, and a query outside a session sees
no rows at all.

What is done for a person of a client is done in the role `<service>_client`, for the length of the transaction as well.
It has no rights but those that migrations grant it (`kit.schema.client_table`), each under a further policy on the
client: a table that nobody thought of cannot be read at all.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from kit import json_encoding, metrics
from kit.call import PLATFORM_WORKSPACE, Call
from kit.errors import Conflict, Forbidden, Problem, Unavailable
from kit.formats import COMPILED, WORKSPACE_ID
from kit.logs import get_logger
from opsfield.options.v1.field_pb2 import UUID

_CLIENT_ID = COMPILED[UUID]
_ACQUIRE_TIMEOUT = 5
_ROLLBACK_TIMEOUT = 2
# The server itself ends a statement before that, unless it, or what lies between, is gone without a word (seconds).
_LONGEST_STATEMENT = 30

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

# Whatever asyncpg raises when a statement or its connection fails. A connection that breaks between two messages of one
# statement shows as an error of the client's own.
DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)

log = get_logger(__name__)


class Session:
    """A read-only view of one workspace, for the length of one transaction."""

    def __init__(self, connection: Connection, call: Call) -> None:
        self._connection = connection
        self.call = call

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        return await self._connection.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: Any) -> asyncpg.Record | None:
        return await self._connection.fetchrow(query, *arguments)

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        return await self._connection.fetchval(query, *arguments)


class Database:
    """The pool of one role. Open with `connect`, close with `close`."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, client_role: str) -> None:
        self.pool = pool
        self._client_role = client_role
        # Connections at hand: the pool's own acquire and release each start a task, a tenth of a short call's cost.
        self._idle: list[Connection] = []
        self._waiting = 0
        self._telling = ExitStack()
        self._telling.enter_context(metrics.CONNECTIONS.told_by(self._connections))
        self._telling.enter_context(metrics.CONNECTIONS_MOST.told_by(lambda: [(self.pool.get_max_size(), {})]))
        self._telling.enter_context(metrics.CONNECTIONS_PENDING.told_by(lambda: [(self._waiting, {})]))

    @classmethod
    async def connect(cls, url: str, *, size: int) -> "Database":
        """Raises OSError or asyncpg.PostgresError when the database cannot be reached."""
        pool = await asyncpg.create_pool(
            url, min_size=1, max_size=size, init=_prepare, reset=_keep, command_timeout=_LONGEST_STATEMENT
        )
        user: str = await pool.fetchval("SELECT session_user::text")
        return cls(pool, client_role=client_role(user.removesuffix("_app")))

    async def close(self) -> None:
        """Wait for sessions to end, then close; after 5 s without waiting."""
        self._telling.close()
        while self._idle:
            await self.pool.release(self._idle.pop())
        try:
            await asyncio.wait_for(self.pool.close(), 5)
        except TimeoutError:
            self.pool.terminate()

    @asynccontextmanager
    async def read(self, call: Call) -> AsyncIterator[Session]:
        """A read-only session in the call's workspace. Raises Unavailable when the database cannot be reached."""
        async with self.transaction_of(call, "BEGIN READ ONLY") as connection:
            yield Session(connection, call)

    @asynccontextmanager
    async def transaction_of(self, call: Call, begin: str = "BEGIN") -> AsyncIterator[Connection]:
        """One transaction, as `transaction`, in which the call sees what it may. Raises Forbidden for what a client's
        people may not at all."""
        begin = f"{begin}; {workspace_scope(call.workspace_id)}"
        if call.client_id is None:
            async with self.transaction(begin) as connection:
                yield connection
            return
        try:
            async with self.transaction(f"{begin}; {client_scope(call.client_id, self._client_role)}") as connection:
                yield connection
        except asyncpg.InsufficientPrivilegeError as error:
            raise Forbidden("This is not for a client's people.", code="client-scope") from error

    @asynccontextmanager
    async def transaction(self, begin: str) -> AsyncIterator[Connection]:
        """One transaction, opened by the statements `begin`: committed at the end, rolled back on an error.

        Raises the Problem that a database error means for the caller.
        """
        try:
            async with self._connection() as connection:
                await connection.execute(begin)
                yield connection
                # After an error that the block has swallowed, the server answers COMMIT with a rollback, not an error.
                if await connection.execute("COMMIT") != "COMMIT":
                    raise asyncpg.InFailedSQLTransactionError("an error before its end undid the transaction")
        except DATABASE_ERRORS as error:
            problem = None if _writes_in_read(error, begin) else problem_of(error)
            if problem is None:
                raise
            raise problem from error

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection outside any transaction, which it is again afterwards, or is closed: what ends the block, a
        cancellation in the middle of BEGIN or COMMIT too, must not leave the next user in this one's transaction."""
        connection = await self._take()
        try:
            yield connection
        except BaseException:
            await _roll_back(connection)
            raise
        finally:
            if self._waiting or _is_gone(connection):
                await self.pool.release(connection)
            else:
                self._idle.append(connection)

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not _is_gone(connection):
                return connection
            await self.pool.release(connection)
        self._waiting += 1
        try:
            return await self.pool.acquire(timeout=_ACQUIRE_TIMEOUT)
        except TimeoutError:
            metrics.CONNECTION_TIMEOUTS.add(1)
            raise
        finally:
            self._waiting -= 1

    def _connections(self) -> metrics.Measured:
        idle = len(self._idle) + self.pool.get_idle_size()
        state = "db.client.connection.state"
        return [(idle, {state: "idle"}), (max(0, self.pool.get_size() - idle), {state: "used"})]


@asynccontextmanager
async def relay_connection(url: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A connection of a service's relay role, which sees as much of all workspaces as migrations grant it. Outside any
    transaction; closed at the end, for at most 2 s.

    What it asks for is little of much, and there is an index for all of it. A plan that was made while a table was
    small would go on reading the whole of it."""
    connection = await asyncpg.connect(url, command_timeout=60, server_settings={"enable_seqscan": "off"})
    try:
        yield connection
    finally:
        try:
            await connection.close(timeout=2)
        except DATABASE_ERRORS:
            connection.terminate()


def workspace_scope(workspace_id: str) -> str:
    """The statement that binds a transaction to a workspace.

    A literal, since SET takes no parameters; safe because of what a workspace id may hold, checked here once more.
    """
    if workspace_id != PLATFORM_WORKSPACE and not WORKSPACE_ID.fullmatch(workspace_id):
        raise Forbidden("That is not a workspace id.", code="workspace-missing")
    return f"SET LOCAL opsfield.workspace_id = '{workspace_id}'"


def client_role(service: str) -> str:
    """The role in which a service (`agent_runtime`: with an underscore) does what a person of a client asks for."""
    return f"{service}_client"


def client_scope(client_id: str, role: str) -> str:
    """The statements that bind a transaction to a client. A literal, as for a workspace."""
    if not _CLIENT_ID.match(client_id):
        raise Forbidden("The token names no client that there could be.", code="client-unknown")
    return f"SET LOCAL opsfield.client_id = '{client_id}'; SET LOCAL ROLE \"{role}\""


def problem_of(error: Exception) -> Problem | None:
    """What a database error means for the caller; None for an error of our own making."""
    match error:
        case asyncpg.LockNotAvailableError():
            return Conflict("Someone else is changing this right now; try again.", code="busy", retry_after=1)
        case asyncpg.DeadlockDetectedError() | asyncpg.SerializationError():
            return Conflict("Two changes met; try again.", code="busy", retry_after=1)
        case asyncpg.QueryCanceledError():
            return Unavailable("The database took too long; try again, or ask for less.", code="timeout", retry_after=5)
        case (
            OSError()
            | TimeoutError()
            | asyncpg.InterfaceError()
            | asyncpg.InternalClientError()
            | asyncpg.PostgresConnectionError()
            | asyncpg.CannotConnectNowError()
            | asyncpg.AdminShutdownError()
            | asyncpg.CrashShutdownError()
            | asyncpg.TooManyConnectionsError()
            # The role has a new password, and this process is about to be restarted with it.
            | asyncpg.InvalidAuthorizationSpecificationError()
        ):
            log.warning("database cannot be reached", error=type(error).__name__)
            return Unavailable("The database cannot be reached; try again.", retry_after=1)
        case (
            # No room on its disk or in its memory; it cannot read or write a file; it takes no changes for now.
            asyncpg.InsufficientResourcesError() | asyncpg.PostgresSystemError() | asyncpg.ReadOnlySQLTransactionError()
        ):
            log.error("database cannot work", error=f"{type(error).__name__}: {error}")
            return Unavailable("The database cannot do this for now; try again.", retry_after=5)
    return None


def _writes_in_read(error: Exception, begin: str) -> bool:
    """Whether a statement wrote in a session that only reads: an error of our own making."""
    return isinstance(error, asyncpg.ReadOnlySQLTransactionError) and begin.startswith("BEGIN READ ONLY")


async def _prepare(connection: "asyncpg.Connection[asyncpg.Record] | Connection") -> None:
    for name in ("uuid", "numeric", "date"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=str, format="text")
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: json_encoding.dumps(value).decode(),
        decoder=orjson.loads,
        format="text",
    )


async def _keep(_connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Instead of asyncpg's reset, a round trip per use: transactions here leave nothing behind on a connection."""


def _is_gone(connection: Connection) -> bool:
    """Whether the connection has ended: asked for, or by the server, when the pool may have let go of it already."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


async def _roll_back(connection: Connection) -> None:
    try:
        async with asyncio.timeout(_ROLLBACK_TIMEOUT):
            await connection.execute("ROLLBACK")
    except DATABASE_ERRORS:
        connection.terminate()
    except BaseException:
        connection.terminate()
        raise
