"""Silence: agents of which nothing is heard any more, and those that are heard of again.

Every replica runs a sweep, and one of them is at work: whose relay connection holds an advisory lock. Should a second
one be at work for a moment (a connection can be gone before its process notices), nothing is told twice: whoever
locks an agent's row, or writes the row of a mass silence, tells it.

Nobody is blamed for our own outage. When the last sweep, by whichever replica, was long ago, agents could not reach us
either: all get the time of their policy anew.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from kit import clock, ids
from kit.call import PLATFORM_WORKSPACE, Call
from kit.database import DATABASE_ERRORS, Database, relay_connection
from kit.errors import Problem
from kit.identity import Principal
from kit.logs import get_logger
from kit.unit_of_work import UnitOfWork, unit_of_work
from services.telemetry.agents.known import KnownAgent
from services.telemetry.detection import silence_signals as signals
from services.telemetry.detection import silence_store as store
from services.telemetry.detection.silence_rules import Decision, decide
from services.telemetry.detection.silence_store import RelayConnection
from services.telemetry.edge_policies.effective import Policies

PAUSE = timedelta(seconds=5)
OUTAGE = timedelta(seconds=30)
_SERVICE = "telemetry"
_SUBJECT = "system:silence"
_METHOD = "/opsfield.telemetry/SilenceSweep"
_BEFORE_ALL = "00000000-0000-0000-0000-000000000000"

log = get_logger(__name__)


async def heard(work: UnitOfWork, agent: KnownAgent) -> None:
    """An agent that was not online sends again, or is revoked: its silence is over, which is told if that was. Its row
    is locked by the caller."""
    if agent.connectivity == "offline" and await store.end(work, agent.id):
        _tell_cleared(work, signals.fingerprint(agent.id))


class SilenceSweep:
    """Run with `run()` until cancelled. `relay_url` is the role that may see of all workspaces in which there is
    something to do; `database` is the service's own, through which everything else goes. `pause`: between two sweeps;
    `outage`: for how long none has to have been at work for that to be an outage of ours."""

    def __init__(
        self,
        database: Database,
        relay_url: str,
        on_commit: Callable[[], None],
        *,
        policies: Policies | None = None,
        pause: timedelta = PAUSE,
        outage: timedelta = OUTAGE,
    ) -> None:
        self._database = database
        self._relay_url = relay_url
        self._on_commit = on_commit
        self._policies = policies or Policies()
        self._pause = pause.total_seconds()
        self._outage = outage

    async def run(self) -> None:
        """Never returns; trouble with the database is logged, waited out and begun afresh."""
        while True:
            try:
                await self._sweep_while_connected()
            except (*DATABASE_ERRORS, Problem) as error:
                log.warning("sweep for silence interrupted", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(self._pause)

    async def once(self) -> bool:
        """One sweep. False when another one is at work. Raises database errors and Problem when it cannot be done."""
        async with relay_connection(self._relay_url) as connection:
            if not await store.take_lock(connection):
                return False
            await self._sweep(connection)
            return True

    async def _sweep_while_connected(self) -> None:
        async with relay_connection(self._relay_url) as connection:
            while not await store.take_lock(connection):
                await asyncio.sleep(self._pause)
            while True:
                await self._sweep(connection)
                await asyncio.sleep(self._pause)

    async def _sweep(self, connection: RelayConnection) -> None:
        if await self._was_out():
            await self._give_time(connection)
        await self._note()
        for workspace_id in await store.workspaces_to_sweep(connection, clock.now()):
            try:
                await self._until_done(workspace_id, self._turn_offline)
                await self._until_done(workspace_id, self._tell)
            except (*DATABASE_ERRORS, Problem) as error:
                log.warning("sweep for silence failed", workspace=workspace_id, error=str(error))
        # A sweep that took long is no outage.
        await self._note()

    async def _was_out(self) -> bool:
        async with self._database.read(_call(PLATFORM_WORKSPACE)) as session:
            last = await store.swept_at(session)
        return last is not None and clock.now() - last > self._outage

    async def _note(self) -> None:
        async with unit_of_work(self._database, _call(PLATFORM_WORKSPACE), service=_SERVICE) as work:
            await store.note_sweep(work)

    async def _give_time(self, connection: RelayConnection) -> None:
        """Noted as done only after all have it: one that is interrupted is begun afresh by the next sweep."""
        workspaces = await store.workspaces_that_wait(connection)
        log.warning("there was an outage: agents are given time", workspaces=len(workspaces))
        for workspace_id in workspaces:
            after = _BEFORE_ALL
            while after:
                async with unit_of_work(self._database, _call(workspace_id), service=_SERVICE) as work:
                    after = await self._give_time_to_some(work, after)

    async def _give_time_to_some(self, work: UnitOfWork, after: str) -> str:
        """Returns the last one's id; nothing when there are no more."""
        policies = await self._policies.current(work)
        if after == _BEFORE_ALL:
            await store.put_off_alerts(work, work.now + (await policies.of_workspace()).offline_after)
        agents = await store.take_online(work, after)
        until = {}
        for agent in agents:
            policy = await policies.of(client_id=agent.client_id, site_id=agent.site_id, agent_id=agent.id)
            until[agent.id] = work.now + policy.offline_after
        await store.give_time(work, until)
        return agents[-1].id if agents else ""

    async def _until_done(self, workspace_id: str, step: Callable[[UnitOfWork], Awaitable[bool]]) -> None:
        """Do a step, in a unit of work each, until it says that it is done."""
        is_done = False
        while not is_done:
            async with unit_of_work(self._database, _call(workspace_id), service=_SERVICE) as work:
                is_done = await step(work)
            if work.emitted:
                self._on_commit()

    async def _turn_offline(self, work: UnitOfWork) -> bool:
        silent = await store.take_silent(work)
        policies = await self._policies.current(work)
        alerts = {}
        for agent in silent:
            policy = await policies.of(client_id=agent.client_id, site_id=agent.site_id, agent_id=agent.id)
            alerts[agent.id] = work.now + policy.offline_alert_after if policy.offline_alerts else None
            work.emit(signals.observed_offline(agent), key=agent.id)
        if silent:
            await store.turn_offline(work, alerts)
            log.info("agents are silent", workspace=work.call.workspace_id, agents=len(silent))
        return len(silent) < store.ROUND

    async def _tell(self, work: UnitOfWork) -> bool:
        if not await store.is_something_to_tell(work):
            return True
        for agent_id in await store.drop_others(work):
            _tell_cleared(work, signals.fingerprint(agent_id))
        active = await store.mass_silences(work)
        agents = await store.heard_of(work)
        policies = await self._policies.current(work)
        mattering, dropped = [], []
        for agent in agents:
            policy = await policies.of(client_id=agent.client_id, site_id=agent.site_id, agent_id=agent.id)
            if policy.offline_alerts:
                mattering.append(agent)
            elif agent.is_due:
                dropped.append(agent.id)
        if dropped:
            await store.drop_alerts(work, dropped)
        return await _carry_out(work, decide(mattering, active))


async def _carry_out(work: UnitOfWork, decision: Decision) -> bool:
    """Write and tell what was decided; of those that are told alone so many that a unit of work stays small. Returns
    whether that was all."""
    for scope in decision.cleared:
        fingerprint = signals.mass_fingerprint(scope)
        if await store.end_mass(work, fingerprint):
            _tell_cleared(work, fingerprint)
    for scope, span in decision.extended.items():
        await store.extend_mass(work, signals.mass_fingerprint(scope), span)
    for scope, mass in decision.raised.items():
        message = signals.mass_raised(scope, mass, work.now)
        if await store.note_mass(work, message.fingerprint, scope, mass.span):
            work.emit(message, key=message.fingerprint)
            log.warning(message.title, workspace=work.call.workspace_id, client=scope[0], site=scope[1])
    alone = decision.alone[: store.ROUND]
    told = await store.note_raised(work, [each.id for each in alone]) if alone else set()
    for agent in alone:
        if agent.id in told:
            message = signals.silence_raised(agent, work.now)
            work.emit(message, key=message.fingerprint)
    # Those that someone has hold of are left to the next sweep.
    return len(decision.alone) <= store.ROUND or len(told) < len(alone)


def _tell_cleared(work: UnitOfWork, fingerprint: str) -> None:
    work.emit(signals.cleared(fingerprint, work.now), key=fingerprint)


def _call(workspace_id: str) -> Call:
    return Call(
        method=_METHOD,
        principal=Principal(_SUBJECT, workspace_id=workspace_id, service=_SERVICE),
        correlation_id=f"silence-{ids.new_id()}",
    )
