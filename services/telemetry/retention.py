"""Makes room for the days to come, and drops the days that are kept no longer: events and batches lie in a partition
for each day, so that forgetting a day costs nothing, however much came in on it."""

import asyncio
from datetime import timedelta

from kit import clock
from kit.database import DATABASE_ERRORS, relay_connection
from kit.errors import Problem
from kit.live_settings import SettingsReader
from kit.logs import get_logger

PARTITIONED = ("events", "ingest_batches")
_DAYS_AHEAD = 3
_EVERY_SECONDS = 600.0
_PAUSE_SECONDS = 5.0
# Whoever drops a partition waits for those who read, and makes others wait behind it: not for long.
_PATIENCE = "SET lock_timeout = '2s'"
_MAKE = "SELECT make_partition($1, $2)"
_DROP = "SELECT drop_partitions($1, $2)"

log = get_logger(__name__)


class RetentionSweep:
    """Run with `run()` until cancelled."""

    def __init__(self, relay_url: str, settings: SettingsReader) -> None:
        self._relay_url = relay_url
        self._settings = settings

    async def run(self) -> None:
        """Never returns; any trouble is logged and tried again."""
        while True:
            try:
                await self.sweep()
                pause = _EVERY_SECONDS
            except (Problem, *DATABASE_ERRORS) as error:
                log.warning("retention sweep failed", error=f"{type(error).__name__}: {error}")
                pause = _PAUSE_SECONDS
            await asyncio.sleep(pause)

    async def sweep(self) -> None:
        """Once. Raises Unavailable when it is not known how long to keep, and what the database raises."""
        today = clock.now().date()
        async with relay_connection(self._relay_url) as connection:
            await connection.execute(_PATIENCE)
            for parent in PARTITIONED:
                for ahead in range(_DAYS_AHEAD + 1):
                    await connection.fetchval(_MAKE, parent, today + timedelta(days=ahead))
            days = (await self._settings.platform()).value.settings.retention.telemetry_event_days
            for parent in PARTITIONED:
                for row in await connection.fetch(_DROP, parent, today - timedelta(days=days)):
                    log.info("telemetry forgotten", partition=row[0], kept_days=days)
