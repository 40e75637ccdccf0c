"""Days that pass in minutes: rows that were written a while ago are made so old that retention has to remove them."""

from devstack.layout import SERVICES
from tests.databases import count
from tests.platform import Platform

AFTER_MINUTES = 5
_AGE = """
WITH aged AS (
    UPDATE {table} SET {column} = {column} - interval '400 days'
    WHERE {column} BETWEEN now() - interval '100 days' AND now() - make_interval(mins => $1) {condition}
    RETURNING true
) SELECT count(*) FROM aged
"""
_OLD = "SELECT count(*) FROM {table} WHERE {column} < now() - interval '100 days'"
_TABLES = (
    ("outbox", "published_at", "AND state = 'published'"),
    ("inbox", "received_at", ""),
    ("idempotency_keys", "created_at", ""),
)
_JOBS = ("jobs", "finished_at", "AND state = 'done'")
_DATABASES = [service.replace("-", "_") for service in SERVICES]


def age(platform: Platform) -> int:
    """How many rows were aged."""
    places = [*((name, each) for name in _DATABASES for each in _TABLES), ("agent_runtime", _JOBS)]
    return sum(
        count(platform, name, _AGE.format(table=table, column=column, condition=condition), AFTER_MINUTES)
        for name, (table, column, condition) in places
    )


def still_old(platform: Platform) -> int:
    """How many of them are there still, but jobs, which are kept for 7 days."""
    return sum(
        count(platform, name, _OLD.format(table=table, column=column))
        for name in _DATABASES
        for table, column, _ in _TABLES
    )
