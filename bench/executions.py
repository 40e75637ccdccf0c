"""Executions of a reasoner that does nothing, from the request to the sealed credential.

- how many a second go the whole way: gateway, workflow, Kafka, agent-runtime, a worker process, Kafka, workflow, seal;
  beside a plain queue (bench/plain_jobs.py);
- what one costs in processor time, and how long one waits until it runs when nothing else does;
- in full also beside a million executions that lie in the tables already.
"""

import asyncio
import json
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import quantiles

import asyncpg
import httpx

from bench import plain_jobs
from bench.figures import Figure
from bench.load import measure, post
from bench.options import Options, quiet
from bench.plain_server import serving
from bench.processor_time import processor_seconds, told
from devstack.stack import Stack
from kit.bootstrap import with_database

WORKSPACE = "bench"
PAST = 1_000_000
AIM_RATE, AIM_MILLISECONDS = 300, 100
_DONE = "SELECT count(*) FROM executions WHERE workspace_id = $1 AND status = 'succeeded'"
_SEALED = "SELECT count(*) FROM audit_records WHERE workspace_id = $1 AND position IS NOT NULL"
_PAST = """
INSERT INTO executions SELECT past.* FROM (
    SELECT to_jsonb(executions) AS known FROM executions WHERE workspace_id = $1 AND status = 'succeeded' LIMIT 1
) AS one, generate_series(1, $2::int) AS number, jsonb_populate_record(
    NULL::executions, known || jsonb_build_object('id', gen_random_uuid(), 'number', number)
) AS past
"""


@dataclass
class Rounds:
    """By rounds: executions a second, milliseconds of processor time each, milliseconds from request to run."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    medians: list[float] = field(default_factory=list)
    slowest: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)


class Bench:
    """`spent`: what each program spent on the last executions, in a sentence."""

    def __init__(self, stack: Stack, admin: "asyncpg.Connection[asyncpg.Record]", seconds: float) -> None:
        self.spent = ""
        self._stack = stack
        self._admin = admin
        self._seconds = seconds
        self._headers = {
            "Authorization": f"Bearer {stack.token(('ops_engineer',), (WORKSPACE,))}",
            "x-workspace-id": WORKSPACE,
        }

    async def throughput(self) -> tuple[float, float]:
        """Executions a second, from the first request until the last credential is sealed; milliseconds of processor
        time of one."""
        url, body = f"{self._stack.base_url}/api/v1/execute/smoke.echo", b"{}"
        before, sealed = await self._count(_DONE), await self._count(_SEALED)
        used, begun = processor_seconds(self._stack), time.perf_counter()
        asked = await measure(
            self._stack.base_url.removeprefix("http://"),
            lambda: post(url, {**self._headers, "Idempotency-Key": uuid.uuid4().hex}, body),
            connections=8,
            seconds=self._seconds,
            status=202,
        )
        while await self._count(_DONE) < before + asked.count or await self._count(_SEALED) < sealed + asked.count:
            await asyncio.sleep(0.1)
        rate = asked.count / (time.perf_counter() - begun)
        after = processor_seconds(self._stack)
        self.spent = told(used, after, asked.count)
        spent = sum(after[name] - used[name] for name in after if name != "bench")
        return rate, spent * 1000 / asked.count

    async def plain(self, address: str) -> float:
        """Jobs a second of the plain queue, from the first request until the last one is done."""
        before, begun = int(await self._admin.fetchval(plain_jobs.DONE)), time.perf_counter()
        asked = await measure(
            address,
            lambda: post(f"http://{address}/execute", {}, b"{}"),
            connections=8,
            seconds=self._seconds,
            status=202,
        )
        while int(await self._admin.fetchval(plain_jobs.DONE)) < before + asked.count:
            await asyncio.sleep(0.1)
        return asked.count / (time.perf_counter() - begun)

    async def waits(self, count: int = 100) -> list[float]:
        """Milliseconds from each request to its run, one after the other."""
        found = []
        async with httpx.AsyncClient(base_url=self._stack.base_url, headers=self._headers, timeout=60) as http:
            for _ in range(count):
                headers = {"Idempotency-Key": uuid.uuid4().hex, "Prefer": "wait=30"}
                answer = await http.post("/api/v1/execute/smoke.echo", json={}, headers=headers)
                execution = json.loads(answer.raise_for_status().content)
                asked, begun = (datetime.fromisoformat(execution[name]) for name in ("createdAt", "startedAt"))
                found.append((begun - asked).total_seconds() * 1000)
        return found

    async def warm_up(self) -> None:
        """Plans that were made for empty tables live on until a table is analyzed, which autovacuum does within a
        minute of the first rows; here it is done at once."""
        await self.throughput()
        for service in ("workflow", "agent-runtime"):
            connection = await asyncpg.connect(with_database(self._stack.admin_url, service.replace("-", "_")))
            await connection.execute("ANALYZE")
            await connection.close()

    async def lay_in(self, count: int) -> None:
        """As many past executions."""
        for _ in range(0, count, 50_000):
            await self._admin.execute(_PAST, WORKSPACE, min(50_000, count), timeout=600)
        await self._admin.execute("ANALYZE executions")

    async def rounds(self, options: Options, plain_address: str) -> Rounds:
        found = Rounds()
        for _ in range(options.rounds):
            rate, cost = await self.throughput()
            options.report(f"{rate:.0f} executions/s; {self.spent}")
            found.rates.append(rate)
            found.costs.append(cost)
            found.plain.append(await self.plain(plain_address))
            cuts = quantiles(await self.waits(), n=100)
            found.medians.append(cuts[49])
            found.slowest.append(cuts[98])
        return found

    async def _count(self, query: str) -> int:
        return int(await self._admin.fetchval(query, WORKSPACE))


async def figures(options: Options) -> list[Figure]:
    services = ("platform", "ops", "workflow", "agent-runtime")
    with tempfile.TemporaryDirectory(prefix="opsfield-bench-") as folder:
        async with Stack(Path(folder), services=services, extra_env=quiet("workflow", "agent-runtime")) as stack:
            admin_url = with_database(stack.admin_url, "workflow")
            admin = await asyncpg.connect(admin_url)
            bench = Bench(stack, admin, options.seconds)
            await admin.execute(plain_jobs.TABLE)
            async with serving("bench.plain_jobs:app", admin_url) as address:
                await bench.warm_up()
                await bench.plain(address)
                found = _figures(await bench.rounds(options, address), "")
                if options.full:
                    options.report(f"laying in {PAST:,} executions")
                    await bench.lay_in(PAST)
                    found += _figures(await bench.rounds(options, address), f", {PAST:,} past ones")
            await admin.close()
            return found


def _figures(found: Rounds, when: str) -> list[Figure]:
    wait = f"request to run{when}"
    return [
        Figure("executions", f"whole way{when}", "/s", found.rates, "plain queue", found.plain),
        Figure("executions", f"rate{when}", "/s", found.rates, aim=AIM_RATE),
        Figure("executions", f"processor time of one{when}", "ms", found.costs, less_is_better=True),
        Figure("executions", f"{wait}, median", "ms", found.medians, less_is_better=True),
        Figure("executions", f"{wait}, p99", "ms", found.slowest, less_is_better=True, aim=AIM_MILLISECONDS),
    ]
