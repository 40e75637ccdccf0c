"""Puts all events that a service could not send back in line, once the cause is mended.

    DATABASE_RELAY_URL=… python -m kit.redrive [--topic ticket.created] [--dry-run]

One transaction, in the role of the relay, which sends them in order within moments. What cannot be sent still, fails
again. For one event of one workspace there is the route `POST /agent-runtime/outbox-failures/{id}/retry`.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import asyncpg

from kit.database import DATABASE_ERRORS, relay_connection
from kit.operator_settings import RedriveSettings
from kit.settings import read

_FAILED = """
SELECT workspace_id, id, topic, key, last_error FROM outbox
WHERE state = 'failed' AND ($1::text IS NULL OR topic = $1) ORDER BY sequence
"""
_BACK_IN_LINE = """
UPDATE outbox SET state = 'pending', attempts = 0, last_error = NULL, next_attempt_at = now()
WHERE state = 'failed' AND id = ANY($1)
"""


async def redrive(relay_url: str, topic: str | None = None, *, dry_run: bool = False) -> Sequence[asyncpg.Record]:
    """The failed events as they were (workspace_id, id, topic, key, last_error), oldest first. Raises DATABASE_ERRORS
    when the database cannot be reached."""
    async with relay_connection(relay_url) as connection, connection.transaction():
        failed = await connection.fetch(_FAILED, topic)
        if not dry_run:
            await connection.execute(_BACK_IN_LINE, [row["id"] for row in failed])
        return failed


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kit.redrive", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--topic", help="only events of this topic")
    parser.add_argument("--dry-run", action="store_true", help="show them, and change nothing")
    given = parser.parse_args(arguments)
    settings = read(RedriveSettings)
    try:
        failed = asyncio.run(redrive(settings.database_relay_url, given.topic, dry_run=given.dry_run))
    except DATABASE_ERRORS as error:
        print(f"The outbox could not be changed: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    for row in failed:
        print(f"{row['workspace_id']}  {row['topic']}  {row['id']}  key {row['key']}  {row['last_error']}")
    print(f"{len(failed)} {'have failed' if given.dry_run else 'are back in line'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
