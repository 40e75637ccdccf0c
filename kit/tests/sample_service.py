"""What the tests do as a service: effects that happen once, with an event and an audit record."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import asyncpg

from kit import ids
from kit.call import Call
from kit.database import Database
from kit.identity import Principal
from kit.tests.protos import message_class
from kit.unit_of_work import UnitOfWork, fingerprint, unit_of_work

Effect = Callable[[UnitOfWork], Awaitable[None]]
SERVICE = "sample"


@dataclass(frozen=True)
class Answer:
    body: bytes
    replayed: bool


@dataclass(frozen=True)
class Sample:
    """`database` is bound by row-level security, `admin` sees everything."""

    database: Database
    admin: "asyncpg.Connection[asyncpg.Record]"
    app_url: str
    relay_url: str

    async def mutate(self, call: Call, effect: Effect, *, body: str = "body") -> Answer:
        """One mutation, as the server of rpcs does it."""
        request = message_class("Sample")(name=body)
        async with unit_of_work(self.database, call, service=SERVICE) as work:
            await work.claim_key(fingerprint(call, request, b"key"))
            if work.replay is None:
                await effect(work)
                answer = ids.new_id().encode()
                work.answer(answer)
                work.audit(ids.new_id(), 1)
        return Answer(answer, False) if work.replay is None else Answer(work.replay, True)

    async def emit(self, key: str, *names: str, workspace: str = "acme", padding: int = 0) -> None:
        """Commit events of one key, in the order of their names; each `padding` bytes longer than it need be."""
        async with unit_of_work(self.database, a_call(workspace=workspace), service=SERVICE) as work:
            for name in names:
                work.emit(happened(name, padding=padding), key=key)

    async def count(self, table: str, condition: str = "true") -> int:
        count: int = await self.admin.fetchval(f"SELECT count(*) FROM {table} WHERE {condition}")
        return count

    async def is_published(self, count: int) -> bool:
        """Whether that many events are with the broker, or more."""
        return await self.count("outbox", "state = 'published'") >= count

    async def counts(self) -> tuple[int, int, int, int]:
        """How many effects, keys, events and audit records there are, in all workspaces."""
        effects = await self.count("effects")
        keys = await self.count("idempotency_keys")
        return effects, keys, await self.count("outbox"), await self.count("audit_entries")


def a_call(key: str | None = "key-1", *, workspace: str = "acme", subject: str = "ada", method: str = "/Do") -> Call:
    principal = Principal(subject, frozenset({"viewer", "ops_engineer"}), workspace)
    return Call(method, principal, "c-1", idempotency_key=key)


def happened(name: str, *, padding: int = 0) -> Any:
    return message_class("SampleHappened")(sample=message_class("Sample")(name=name, labels={"padding": "x" * padding}))


async def insert_effect(work: UnitOfWork, name: str) -> None:
    await work.execute(
        "INSERT INTO effects (workspace_id, id, name) VALUES ($1, $2, $3)", work.call.workspace_id, ids.new_id(), name
    )


def effect(name: str = "done") -> Effect:
    """A change with its event."""

    async def run(work: UnitOfWork) -> None:
        await insert_effect(work, name)
        work.emit(happened(name), key="k-1")

    return run


async def eventually(condition: Callable[[], Awaitable[bool]], *, seconds: float = 20) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline = monotonic() + seconds
    while not await condition():
        assert monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.05)


async def end(task: "asyncio.Task[None]") -> None:
    """Cancel a loop that never ends by itself, which must be over soon."""
    assert not task.done(), f"a loop that never ends has ended: {task}"
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled(), f"a loop that was told to end goes on: {task}"


@asynccontextmanager
async def running(*loops: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Loops that run until the end of the block; one that ends before fails the test with its error."""
    tasks = [asyncio.create_task(each) for each in loops]
    try:
        yield
    finally:
        for task in tasks:
            if task.done():
                task.result()
        await asyncio.gather(*map(end, tasks))
