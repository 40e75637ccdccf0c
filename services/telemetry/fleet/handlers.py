"""FleetService."""

from datetime import timedelta

from kit import clock
from kit.database import Session
from opsfield.telemetry.v1.fleet_pb2 import Fleet, FleetSummary, GetFleetSummaryRequest
from services.telemetry.fleet import store

_LATELY = timedelta(minutes=5)


class FleetHandlers:
    """Three statements over rows that are counted where they lie."""

    async def get_fleet_summary(self, request: GetFleetSummaryRequest, session: Session) -> FleetSummary:
        del request
        now = clock.now()
        agents = await store.agents(session)
        silences = await store.raised_silences(session)
        lately = await store.batches(session, now - _LATELY, now)
        return FleetSummary(
            fleet=Fleet(
                agents=agents["agents"],
                online=agents["online"],
                offline=agents["offline"],
                pending=agents["pending"],
                conditions=agents["conditions"] + silences,
                batches=lately["batches"],
                events_accepted=lately["accepted"],
                events_rejected=lately["rejected"],
                events_per_second=lately["accepted"] / _LATELY.total_seconds(),
            )
        )
