"""RunSmoke: an execution from here through Kafka and back."""

import asyncio
from datetime import datetime
from itertools import pairwise

from kit import clock, contract, ids
from kit.calls import Passport, ServiceCall, Services
from kit.errors import TooManyRequests, Unavailable
from kit.instants import instant
from kit.unit_of_work import UnitOfWork
from opsfield.agent_runtime.v1.runtime_pb2 import RunSmokeRequest, SmokeHop, SmokeReport
from opsfield.workflow.v1.executions_pb2 import ExecuteReasonerRequest, Execution, GetExecutionRequest
from services.agent_runtime.smoke import store

_SECONDS = 20.0
_POLL_SECONDS = 0.05
# Each holds a connection to the database for as long as it waits.
_MOST_AT_A_TIME = 2


class SmokeHandlers:
    def __init__(self, services: Services) -> None:
        rpcs = contract.by_name("workflow")
        self._execute = ServiceCall(services, "workflow", rpcs["ExecuteReasoner"], timeout=_SECONDS)
        self._get = ServiceCall(services, "workflow", rpcs["GetExecution"], timeout=_SECONDS)
        self._running = 0

    async def run_smoke(self, request: RunSmokeRequest, work: UnitOfWork) -> SmokeReport:
        """Raises Unavailable when it does not come back in time, or did not succeed."""
        del request
        if self._running >= _MOST_AT_A_TIME:
            raise TooManyRequests("Others try it out right now; try again.", code="overloaded", retry_after=5)
        self._running += 1
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._run(work)
        except TimeoutError as error:
            raise Unavailable(f"It did not come back within {_SECONDS:g} s.", code="timeout", retry_after=5) from error
        finally:
            self._running -= 1

    async def _run(self, work: UnitOfWork) -> SmokeReport:
        call = work.call
        asked_at = clock.now()
        assert call.idempotency_key is not None, "the rpc needs one"
        passport = Passport(
            call.principal,
            call.correlation_id,
            idempotency_key=ids.child_key(call.idempotency_key, "smoke"),
            traceparent=call.traceparent,
        )
        started = await self._execute(ExecuteReasonerRequest(agent="smoke", reasoner="echo"), passport)
        assert isinstance(started.message, Execution)
        execution = await self._until_final(started.message, passport._replace(idempotency_key=None))
        if execution.status != Execution.SUCCEEDED:
            word = Execution.Status.Name(execution.status).lower()
            detail = f"It came back, but {word}: {execution.failure_detail or 'no reason is given'}"
            raise Unavailable(detail, code="smoke-failed", retry_after=5)
        return await self._report(work, execution, asked_at)

    async def _until_final(self, execution: Execution, passport: Passport) -> Execution:
        while not execution.is_final:
            await asyncio.sleep(_POLL_SECONDS)
            answer = (await self._get(GetExecutionRequest(id=execution.id), passport)).message
            assert isinstance(answer, Execution)
            execution = answer
        return execution

    async def _report(self, work: UnitOfWork, execution: Execution, asked_at: datetime) -> SmokeReport:
        way = await store.way_of(work, execution.id)
        if way is None or way.started_at is None or way.finished_at is None:
            raise Unavailable("It came back, but never ran here.", code="smoke-failed", retry_after=5)
        completed_at = instant(execution.updated_at, "updatedAt")
        # A replay of the key comes back at once, from an execution that was asked for before.
        asked_at = min(asked_at, instant(execution.created_at, "createdAt"))
        times = {
            "asked": asked_at,
            "queued": way.created_at,
            "started": way.started_at,
            "finished": way.finished_at,
            "completed": completed_at,
        }
        hops = [
            SmokeHop(name="asked", milliseconds=0),
            *(
                SmokeHop(name=name, milliseconds=_milliseconds(before, after))
                for (_, before), (name, after) in pairwise(times.items())
            ),
        ]
        return SmokeReport(execution_id=execution.id, hops=hops, total_ms=_milliseconds(asked_at, completed_at))


def _milliseconds(before: datetime, after: datetime) -> int:
    """Never less than none: the services' clocks may differ."""
    return max(0, round((after - before).total_seconds() * 1000))
