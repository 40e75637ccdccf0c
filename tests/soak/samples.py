"""What a running platform takes of its machine, looked at again and again."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from devstack.layout import GATEWAY, KAFKA, POSTGRES, SERVICES
from tests.databases import rows
from tests.platform import Platform

PROGRAMS = (*SERVICES, GATEWAY, POSTGRES, KAFKA)
_CONNECTIONS = """
SELECT datname, count(*) FROM pg_stat_activity WHERE datname = ANY($1) AND pid <> pg_backend_pid() GROUP BY datname
"""
_TABLES = """
SELECT relname, n_live_tup AS live, n_dead_tup AS dead, pg_total_relation_size(relid) AS bytes FROM pg_stat_user_tables
"""
# What retention keeps short while the load goes on.
SWEPT = ("outbox", "inbox", "idempotency_keys")
# Tables of fewer rows are counted as if they had so many: what they take tells nothing.
_FEW = 10_000


@dataclass
class Sample:
    """At `at` seconds. By program: megabytes that are its own alone, and open files. By database: connections. By
    table: the share of dead rows; of those that retention keeps short, the bytes on disk of each row that is there."""

    at: float
    megabytes: dict[str, float] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    connections: dict[str, int] = field(default_factory=dict)
    dead_share: dict[str, float] = field(default_factory=dict)
    row_bytes: dict[str, float] = field(default_factory=dict)


def take(platform: Platform, began: float) -> Sample:
    sample = Sample(time.monotonic() - began)
    for name in PROGRAMS:
        processes = list(_tree(platform.stack.pid(name)))
        sample.megabytes[name] = sum(map(_own_megabytes, processes))
        sample.files[name] = sum(map(_open_files, processes))
    _look_into_databases(platform, sample)
    return sample


def _look_into_databases(platform: Platform, sample: Sample) -> None:
    names = [service.replace("-", "_") for service in SERVICES]
    sample.connections = {row[0]: row[1] for row in rows(platform, names[0], _CONNECTIONS, names)}
    for name in names:
        for row in rows(platform, name, _TABLES):
            table = f"{name}.{row['relname']}"
            sample.dead_share[table] = row["dead"] / max(row["live"] + row["dead"], _FEW)
            if row["relname"] in SWEPT:
                sample.row_bytes[table] = row["bytes"] / max(row["live"], _FEW)


def _tree(pid: int) -> Iterator[psutil.Process]:
    main = psutil.Process(pid)
    yield main
    yield from main.children(recursive=True)


def _own_megabytes(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        return float(process.memory_full_info().uss) / 1e6
    return 0.0


def _open_files(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):
        return int(process.num_fds())
    return 0
