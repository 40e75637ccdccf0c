"""How much waits in a table of a service, and for how long: asked again and again across workspaces, for metrics.

Every replica tells the same, whether or not it is the one that does the work.
"""

import asyncio
from collections.abc import Iterable

from kit.database import DATABASE_ERRORS, relay_connection
from kit.logs import get_logger
from kit.metrics import EXPORT_SECONDS, Attributes, Gauge

OUTBOX = """
SELECT state::text AS state, count(*) AS many, min(created_at) AS oldest FROM outbox
WHERE state <> 'published' GROUP BY state
"""

log = get_logger(__name__)


class Backlog:
    """Run with `run()` until cancelled. `query`: rows of `state`, `many` and since when the `oldest` waits; a state of
    `states` of which it finds none counts as empty."""

    def __init__(self, relay_url: str, query: str, states: Iterable[str], many: Gauge, age: Gauge) -> None:
        self._relay_url = relay_url
        self._query = f"""
            SELECT state, many, greatest(0, extract(epoch FROM now() - oldest))::float8 AS age FROM ({query}) AS found
        """
        self._states = tuple(states)
        self._gauges = (many, age)
        self._many: list[tuple[float, Attributes]] = []
        self._age: list[tuple[float, Attributes]] = []

    async def run(self) -> None:
        """Never returns; without the database nothing is told."""
        many, age = self._gauges
        with many.told_by(lambda: self._many), age.told_by(lambda: self._age):
            while True:
                try:
                    await self._look_while_connected()
                except DATABASE_ERRORS as error:
                    log.warning("backlog not known", error=f"{type(error).__name__}: {error}")
                    self._many, self._age = [], []
                    await asyncio.sleep(EXPORT_SECONDS)

    async def _look_while_connected(self) -> None:
        async with relay_connection(self._relay_url) as connection:
            while True:
                rows = {row["state"]: row for row in await connection.fetch(self._query)}
                found = [(rows.get(state), {"state": state}) for state in self._states]
                self._many = [(row["many"] if row else 0, attributes) for row, attributes in found]
                self._age = [(row["age"] if row else 0.0, attributes) for row, attributes in found]
                await asyncio.sleep(EXPORT_SECONDS)
