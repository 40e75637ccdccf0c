"""`python -m bench.executions`: executions of a reasoner that does nothing, from the request to the sealed credential.

- how many a second go the whole way: gateway, workflow, Kafka, agent-runtime, a worker process, Kafka, workflow, seal;
- how long one waits until it runs, when nothing else does;
- both again beside `--past` executions that lie in the tables already.
"""

import argparse
import asyncio
import json
import shutil
import time
import uuid
from datetime import datetime
from pathlib import Path
from statistics import quantiles

import asyncpg
import httpx
import uvloop

from bench.load import measure, post
from bench.processor_time import processor_seconds, told
from devstack.stack import Stack
from kit.bootstrap import with_database

DATA = Path(".devstack-executions-bench")
WORKSPACE = "bench"
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


class Bench:
    def __init__(self, stack: Stack, admin: "asyncpg.Connection[asyncpg.Record]", seconds: float) -> None:
        self._stack = stack
        self._admin = admin
        self._seconds = seconds
        self._headers = {
            "Authorization": f"Bearer {stack.token(('ops_engineer',), (WORKSPACE,))}",
            "x-workspace-id": WORKSPACE,
        }

    async def throughput(self) -> float:
        """Executions a second, from the first request until the last credential is sealed."""
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
        print(told(used, processor_seconds(self._stack), asked.count), flush=True)
        return rate

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

    async def report(self, when: str) -> None:
        rate, waits = await self.throughput(), quantiles(await self.waits(), n=100)
        print(
            f"{when}: {rate:,.0f} executions/s, aim {AIM_RATE}; from request to running "
            f"p50 {waits[49]:.0f} ms, p99 {waits[98]:.0f} ms, aim {AIM_MILLISECONDS}",
            flush=True,
        )

    async def _count(self, query: str) -> int:
        return int(await self._admin.fetchval(query, WORKSPACE))


async def _main(arguments: argparse.Namespace) -> None:
    shutil.rmtree(DATA, ignore_errors=True)
    quiet = {name: {"LOG_LEVEL": "warning"} for name in ("gateway", "workflow", "agent-runtime")}
    quiet["gateway"]["RATE_LIMIT_PER_MINUTE"] = "0"
    services = ("platform", "ops", "workflow", "agent-runtime")
    async with Stack(DATA, services=services, extra_env=quiet) as stack:
        admin = await asyncpg.connect(with_database(stack.admin_url, "workflow"))
        bench = Bench(stack, admin, arguments.seconds)
        await bench.warm_up()
        await bench.report("next to nothing in the tables")
        if arguments.past:
            await bench.lay_in(arguments.past)
            await bench.report(f"{arguments.past:,} past executions")
        await admin.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.executions", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="how long to ask for")
    parser.add_argument("--past", type=int, default=1_000_000, help="executions to lay into the table")
    uvloop.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
