"""A consumer to be killed: for each `ticket.created` it writes one row, in the portal's database.

`python -m tests.faults.probe GROUP`; the rest comes from the environment, as for a service.
"""

import asyncio
import sys

from kit import faults, logs
from kit.consumer import Consumer, Subscription
from kit.database import Database
from kit.events import ReceivedEvent
from kit.settings import ServiceSettings, read
from kit.unit_of_work import UnitOfWork

CREATE_EFFECTS = """
CREATE TABLE IF NOT EXISTS probe_effects (workspace_id text NOT NULL, consumer text NOT NULL, ticket_id text NOT NULL);
"""


async def note(event: ReceivedEvent, work: UnitOfWork) -> None:
    """The effect: not idempotent by itself, so a second one would show."""
    await work.execute(
        "INSERT INTO probe_effects (workspace_id, consumer, ticket_id) VALUES ($1, $2, $3)",
        event.workspace_id,
        sys.argv[1],
        event.data["ticket"]["id"],
    )


async def main() -> None:
    settings = read(ServiceSettings)
    logs.configure("probe", level=settings.log_level, as_json=False)
    faults.arm(settings.crash_at)
    database = await Database.connect(settings.database_url, size=2)
    await Consumer(
        Subscription(sys.argv[1], {"ticket.created": note}),
        service="portal",
        database=database,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        session_timeout=settings.kafka_session_timeout_seconds,
        wait_milliseconds=settings.kafka_fetch_wait_milliseconds,
        on_commit=lambda: None,
    ).run()


if __name__ == "__main__":
    asyncio.run(main())
