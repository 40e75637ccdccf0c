"""How the demo workspace comes about: in stories, each of which is told once.

A story is what happened to one thing, step by step: a ticket from the first call to the bill. Each step goes the way of
any mutation, through the handler, in a unit of work, with its events and its audit record; only the clock is set back.
The steps of a story are committed together, since the sweeps run meanwhile by today's clock: a ticket of last month
that nobody has answered yet would be a broken promise to them, an invoice that is not paid yet would be overdue.

The story's key, committed with it, makes a second run leave it alone. Keys are written at the time of loading, not at
that of the story, or they would be swept as old.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from kit import clock, contract, validation
from kit.call import Call
from kit.contract import Rpc
from kit.database import Database
from kit.identity import Principal
from kit.live_settings import DefaultSettings
from kit.rpc import Handler
from kit.unit_of_work import UnitOfWork, unit_of_work
from services.ops.wiring import KINDS, NAME, handlers

# What later stories need to know of an earlier one: ids, mostly. As JSON has it.
Facts = dict[str, Any]
SYSTEM = "demo"
_RPCS = {rpc.request_class.DESCRIPTOR.name: rpc for rpc in contract.owned_by(NAME)}


class Story:
    """Does steps as someone, at some time, in the transaction of `whole`, the story's unit of work."""

    def __init__(self, whole: UnitOfWork, ways: Mapping[str, Handler]) -> None:
        self._whole = whole
        self._handlers = ways

    async def create(self, resource: Message, *, at: datetime, by: str = SYSTEM) -> Any:
        """Create a resource: as it then is."""
        kind = resource.DESCRIPTOR.name
        request_class = _RPCS[f"Create{kind}Request"].request_class
        return await self.do(request_class(**{contract.snake_case(kind): resource}), at=at, by=by)

    async def change(self, resource_id: str, changes: Message, *, at: datetime, by: str = SYSTEM) -> Any:
        """Set those fields of a resource that are set in `changes`: the resource as it then is."""
        kind = changes.DESCRIPTOR.name
        request = _RPCS[f"Update{kind}Request"].request_class(
            id=resource_id,
            update_mask=FieldMask(paths=[field.name for field, _ in changes.ListFields()]),
            **{contract.snake_case(kind): changes},
        )
        return await self.do(request, at=at, by=by)

    async def do(self, request: Message, *, at: datetime, by: str = SYSTEM) -> Any:
        """Call the rpc of the request: its answer. Raises Invalid for a request that no caller could send."""
        rpc = _RPCS[request.DESCRIPTOR.name]
        validation.check_request(request, rpc.routes[0].body if rpc.routes else "")
        async with self.step(rpc.path, at=at, by=by, roles=_roles(rpc)) as work:
            response: Any = await self._handlers[rpc.path](request, work)
            if rpc.policy.audit and not work.is_audited:
                work.audit(response.id, getattr(response, "version", None))
        return response

    @asynccontextmanager
    async def step(self, method: str, *, at: datetime, by: str, roles: Iterable[str] = ()) -> AsyncIterator[UnitOfWork]:
        """A unit of work as at that time, which is committed with the story."""
        told = self._whole.call
        principal = Principal(subject=by, roles=frozenset(roles), workspace_id=told.workspace_id)
        with clock.at(at):
            async with self._whole.part(Call(method, principal, told.correlation_id)) as work:
                yield work


class DemoLoader:
    """Tells stories to a workspace."""

    def __init__(self, database: Database, workspace_id: str) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self._handlers = handlers(DefaultSettings())

    async def tell(self, key: str, story: Callable[[Story], Awaitable[Facts]]) -> Facts:
        """Tell a story unless it has been told: the facts of it, from this time or the first."""
        async with unit_of_work(self._database, self._call(key), service=NAME) as work:
            await work.claim_key(sha256(key.encode()).digest())
            if work.replay is not None:
                told: Facts = orjson.loads(work.replay)
                return told
            facts = await story(Story(work, self._handlers))
            work.answer(orjson.dumps(facts))
        return facts

    async def has_told(self, key: str) -> bool:
        """Whether the story is told, as far as keys reach back."""
        call = self._call(key)
        async with self._database.read(call) as session:
            found = await session.fetchval(
                "SELECT true FROM idempotency_keys WHERE workspace_id = $1 AND principal = $2 AND key = $3",
                call.workspace_id,
                SYSTEM,
                call.idempotency_key,
            )
        return bool(found)

    async def counts(self, *names: str) -> dict[str, int]:
        """How many there are of these kinds, deleted ones too; of all by default. `ticket-comments` is one here."""
        wanted = names or (*(kind.name for kind in KINDS), "ticket-comments")
        found = {}
        async with self._database.read(self._call("counts")) as session:
            for name in wanted:
                query = f"SELECT count(*) FROM {name.replace('-', '_')} WHERE workspace_id = $1"
                found[name] = int(await session.fetchval(query, self._workspace_id))
        return found

    def _call(self, key: str) -> Call:
        principal = Principal(subject=SYSTEM, workspace_id=self._workspace_id)
        return Call("/demo", principal, correlation_id=f"demo-{key}"[:128], idempotency_key=f"demo-{key}")


def _roles(rpc: Rpc) -> frozenset[str]:
    """The role by which one may do it; none for what only services do."""
    usual = ("ops_engineer", "billing")
    return frozenset([role for role in usual if role in rpc.roles][:1])
