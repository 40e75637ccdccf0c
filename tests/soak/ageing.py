"""Days that pass in minutes: rows that were written a while ago are made so old that retention has to remove them."""

import asyncpg

from devstack.layout import SERVICES
from kit.bootstrap import with_database
from tests.platform import Platform

AFTER_MINUTES = 5
_OLD = "interval '400 days'"
_AGE = """
UPDATE {table} SET {column} = {column} - {old}
WHERE {column} BETWEEN now() - interval '100 days' AND now() - make_interval(mins => $1) {condition}
"""
_TABLES = (
    ("outbox", "published_at", "AND state = 'published'"),
    ("inbox", "received_at", ""),
    ("idempotency_keys", "created_at", ""),
)


async def _age(platform: Platform) -> int:
    aged = 0
    for service in SERVICES:
        name = service.replace("-", "_")
        tables = _TABLES if name != "agent_runtime" else (*_TABLES, ("jobs", "finished_at", "AND state = 'done'"))
        connection = await asyncpg.connect(with_database(platform.stack.admin_url, name))
        try:
            for table, column, condition in tables:
                query = _AGE.format(table=table, column=column, condition=condition, old=_OLD)
                aged += int((await connection.execute(query, AFTER_MINUTES)).split()[-1])
        finally:
            await connection.close()
    return aged


def age(platform: Platform) -> int:
    """How many rows were aged."""
    return platform.run(_age(platform), 120)


async def _count_old(platform: Platform) -> int:
    old = 0
    for service in SERVICES:
        connection = await asyncpg.connect(with_database(platform.stack.admin_url, service.replace("-", "_")))
        try:
            for table, column, _ in _TABLES:
                query = f"SELECT count(*) FROM {table} WHERE {column} < now() - interval '100 days'"
                old += await connection.fetchval(query)
        finally:
            await connection.close()
    return old


def still_old(platform: Platform) -> int:
    """How many of them are there still."""
    return platform.run(_count_old(platform), 120)
