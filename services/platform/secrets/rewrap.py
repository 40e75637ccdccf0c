"""`python -m services.platform.secrets.rewrap`: bring every data key under the current key-encryption key.

To rotate that key without downtime: add the new key as the *last* line of SECRETS_KEK_FILE on every replica; move it
to the first line; run this; remove the old line once this says that nothing needs it. Secrets can be set and used all
the while. It can be killed at any instant and run again: each batch is one transaction.

`--check` only tells which key wraps how much.
"""

import argparse
import asyncio
import sys
from collections import Counter

from kit import faults, ids, logs
from kit.call import Call
from kit.database import DATABASE_ERRORS, Database, relay_connection
from kit.errors import Problem
from kit.identity import Principal
from kit.settings import read
from kit.unit_of_work import unit_of_work
from services.platform.secrets import store
from services.platform.secrets.envelope import Envelopes
from services.platform.settings import Settings
from services.platform.wiring import NAME, key_encryption

BATCH = 50
_COUNTS = "SELECT workspace_id, kek_id, count(*) AS count FROM data_keys GROUP BY workspace_id, kek_id"


async def rewrap(database: Database, relay_url: str, envelopes: Envelopes) -> int:
    """Do all that is left to do: how many data keys were wrapped anew. Prints progress."""
    current = await envelopes.keys.current_id()
    left = {key: count for key, count in (await counts(relay_url)).items() if key[1] != current}
    total, done = sum(left.values()), 0
    for workspace_id in sorted({workspace_id for workspace_id, _ in left}):
        while batch := await _rewrap_batch(database, envelopes, workspace_id, current):
            done += batch
            print(f"{done} of {total} data keys are under the key {current}", flush=True)
    return done


async def counts(relay_url: str) -> Counter[tuple[str, str]]:
    """How many data keys there are, by workspace and key-encryption key."""
    async with relay_connection(relay_url) as connection:
        rows = await connection.fetch(_COUNTS)
    return Counter({(row["workspace_id"], row["kek_id"]): row["count"] for row in rows})


async def _rewrap_batch(database: Database, envelopes: Envelopes, workspace_id: str, current: str) -> int:
    principal = Principal("operator:rewrap", workspace_id=workspace_id, service=NAME)
    call = Call("secrets/rewrap", principal, correlation_id=ids.new_id())
    async with unit_of_work(database, call, service=NAME) as work:
        batch = await store.outdated_data_keys(work, current, BATCH)
        for each in batch:
            wrapped = await envelopes.rewrap(workspace_id, each.id, each.wrapped)
            await store.replace_wrapping(work, each.id, wrapped)
        if batch:
            work.audit(f"{len(batch)} data keys under {current}", None)
    return len(batch)


async def _main(settings: Settings, *, only_check: bool) -> None:
    envelopes = Envelopes(key_encryption(settings))
    if not only_check:
        database = await Database.connect(settings.database_url, size=1)
        try:
            await rewrap(database, settings.database_relay_url, envelopes)
        finally:
            await database.close()
    found: Counter[str] = Counter()
    for (_, kek_id), count in (await counts(settings.database_relay_url)).items():
        found[kek_id] += count
    current = await envelopes.keys.current_id()
    for kek_id, count in sorted(found.items()):
        print(f"{kek_id}: {count} data keys{' (current)' if kek_id == current else ''}")
    if set(found) <= {current}:
        print(f"Nothing needs any key but {current}.")


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m services.platform.secrets.rewrap", description=(__doc__ or "").partition(": ")[2].split("\n")[0]
    )
    parser.add_argument("--check", action="store_true", help="change nothing, only tell which key wraps how much")
    arguments = parser.parse_args()
    settings = read(Settings)
    logs.configure("rewrap", level="warning", as_json=settings.logs_as_json)
    faults.arm(settings.crash_at)
    try:
        asyncio.run(_main(settings, only_check=arguments.check))
    except Problem as problem:
        print(f"The rotation stopped: {problem.detail} Run it again once that is mended.", file=sys.stderr)
        return 1
    except (*DATABASE_ERRORS, ValueError) as error:
        print(f"The rotation stopped: {error}. Run it again once that is mended.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
