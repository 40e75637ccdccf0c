"""What workflow tells the runtime and what it hears back, in one workspace."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
import psutil

from devstack.stack import Stack
from kit import contract, events, ids, structs
from kit.call import Call
from kit.consumer import Handler
from kit.database import Database
from kit.identity import Principal
from kit.kafka import start_producer, stop
from kit.unit_of_work import unit_of_work
from opsfield.agent_runtime.v1.outcomes_pb2 import ExecutionFinished, ExecutionStarted
from opsfield.workflow.v1.dispatch_pb2 import ExecutionCancelled, ExecutionRequested
from services.agent_runtime.jobs.consumers import WorkflowConsumer
from tests.callers import eventually

Json = dict[str, Any]
# Runs a runtime for the length of a block: the fixture `start` says what it takes.
Start = Callable[..., Any]
TOLD = "SELECT payload::text FROM outbox WHERE workspace_id = $1 AND topic = $2 AND key = $3 ORDER BY sequence"
STARTED = contract.event_topic(ExecutionStarted.DESCRIPTOR)
FINISHED = contract.event_topic(ExecutionFinished.DESCRIPTOR)


def requested(execution_id: str, reasoner: str, given: Json, *, attempt: int = 1, seconds: float = 60) -> Any:
    """To be run; `reasoner` is its full name, `seconds` its time from now."""
    agent, name = reasoner.split(".")
    return ExecutionRequested(
        execution_id=execution_id,
        attempt=attempt,
        agent=agent,
        reasoner=name,
        input=structs.from_json(given),
        deadline_at=datetime.now(UTC) + timedelta(seconds=seconds),
    )


@dataclass(frozen=True)
class Workspace:
    """`admin` is a superuser in the service's database. `tell` brings an event to the service."""

    id: str
    admin: "asyncpg.Connection[asyncpg.Record]"
    tell: Callable[[Any, Call], Awaitable[None]]

    async def ask(self, reasoner: str, given: Json | None = None, **how: Any) -> str:
        """Ask for an execution: its id."""
        execution_id = how.pop("execution_id", None) or ids.new_id()
        await self.tell(requested(execution_id, reasoner, given or {}, **how), self._call())
        return str(execution_id)

    async def cancel(self, execution_id: str, attempt: int = 1) -> None:
        await self.tell(ExecutionCancelled(execution_id=execution_id, attempt=attempt), self._call())

    async def finished(self, execution_id: str, count: int = 1, seconds: float = 20) -> Json:
        """What was told of its end, once it was told so often; the last one."""
        return (await self.all_finished(execution_id, count, seconds))[-1]

    async def all_finished(self, execution_id: str, count: int = 1, seconds: float = 20) -> list[Json]:
        async def look() -> list[Json] | None:
            found = await self.told(FINISHED, execution_id)
            return found if len(found) >= count else None

        found: list[Json] = await eventually(look, seconds)
        assert len(found) == count
        return found

    async def told(self, topic: str, execution_id: str) -> list[Json]:
        rows = await self.admin.fetch(TOLD, self.id, topic, execution_id)
        return [json.loads(row["payload"])["data"] for row in rows]

    async def job(self, execution_id: str, attempt: int = 1) -> Json:
        """Its row; empty when there is none."""
        query = "SELECT * FROM jobs WHERE workspace_id = $1 AND execution_id = $2 AND attempt = $3"
        return dict(await self.admin.fetchrow(query, self.id, execution_id, attempt) or {})

    async def until(self, execution_id: str, state: str, attempt: int = 1, *, tries: int = 0) -> Json:
        """Its row, once it is in that state, after so many tries at least."""

        async def look() -> Json | None:
            job = await self.job(execution_id, attempt)
            return job if job and job["state"] == state and job["tries"] >= tries else None

        found: Json = await eventually(look)
        return found

    def _call(self) -> Call:
        return Call("/Test", Principal("workflow", workspace_id=self.id, service="workflow"), "c-1")


def directly(consumer: WorkflowConsumer, database: Database) -> Callable[[Any, Call], Awaitable[None]]:
    """Brings events as the consumer loop does it, without a broker."""
    handlers: dict[str, Handler] = dict(consumer.subscription().handlers)

    async def tell(message: Any, call: Call) -> None:
        event = events.compose(message, key=message.execution_id, service="workflow", call=call)
        received = events.parse(event.body.encode(), topic=event.topic)
        async with unit_of_work(database, call, service="agent-runtime") as work:
            await handlers[event.topic](received, work)

    return tell


def through(stack: Stack) -> Callable[[Any, Call], Awaitable[None]]:
    """Brings events over Kafka."""

    async def tell(message: Any, call: Call) -> None:
        event = events.compose(message, key=message.execution_id, service="workflow", call=call)
        producer = await start_producer(stack.kafka_bootstrap, client_id="workflow-test")
        try:
            await producer.send_and_wait(event.topic, value=event.body.encode(), key=event.key.encode())
        finally:
            await stop(producer)

    return tell


async def pid_in(mark: Path) -> int:
    """The process that left its mark last."""

    async def look() -> list[str]:
        return marks(mark)

    return int((await eventually(look))[-1])


def marks(mark: Path) -> list[str]:
    """The processes that left their mark."""
    return mark.read_text().split() if mark.exists() else []


async def is_gone(pid: int, seconds: float = 5) -> bool:
    """Whether the process ends in that time; one that is dead but not waited for has ended."""
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                await asyncio.sleep(0.02)
                continue
        return True
    return False
