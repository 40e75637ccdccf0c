"""Throughput and latency of the whole path, beside a plain program and the bare query.

The whole path is JWT, gateway, gRPC, ops, PostgreSQL with row-level security. The plain program (bench/plain.py) has
two worker processes, as the whole path has two (gateway and ops): both may use both cores. Rounds alternate, so that
a noisy machine disturbs all alike; each figure is the median of its rounds.
"""

import asyncio
import itertools
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import httpx

from bench import data, plain
from bench.figures import Figure
from bench.load import Measured, get, measure, post, summarize
from bench.options import Options, quiet
from bench.plain_server import serving
from devstack.stack import Stack
from kit.bootstrap import with_database

CONNECTIONS = 16
RARE = "order 4711"
WITH_SLA = "bench-sla"
WORKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


@dataclass(frozen=True)
class Case:
    """One line of the table: how each of the three does it."""

    name: str
    whole: Callable[[], Awaitable[Measured]]
    plain: Callable[[], Awaitable[Measured]]
    bare: Callable[[], Awaitable[Measured]]


class Bench:
    def __init__(self, stack: Stack, plain_address: str, pool: "asyncpg.Pool[asyncpg.Record]", seconds: float) -> None:
        self._stack = stack
        self._plain_address = plain_address
        self._pool = pool
        self._seconds = seconds
        token = stack.token(("ops_engineer",), (data.WORKSPACE, WITH_SLA))
        self._headers = {"Authorization": f"Bearer {token}", "x-workspace-id": data.WORKSPACE}

    async def cases(self) -> list[Case]:
        rows = await self._pool.fetch(
            "SELECT id::text, client_id::text FROM tickets TABLESAMPLE SYSTEM (0.5) WHERE workspace_id = $1 LIMIT 5000",
            data.WORKSPACE,
        )
        ids = itertools.cycle([row["id"] for row in rows])
        client = rows[0]["client_id"]
        pattern = f"%{RARE}%"
        workspace = data.WORKSPACE
        return [
            self._read(
                "GET /tickets/{id}", lambda: f"/tickets/{next(ids)}", lambda: [(plain.GET, (workspace, next(ids)))]
            ),
            self._read(
                "GET /tickets?limit=50",
                lambda: "/tickets?limit=50",
                lambda: [(plain.LIST, (workspace, 50)), (plain.COUNT, (workspace,))],
            ),
            self._read(
                f"GET /tickets?q={RARE}",
                lambda: f"/tickets?q={RARE.replace(' ', '%20')}",
                lambda: [(plain.FOUND, (workspace, 50, pattern)), (plain.COUNT_FOUND, (workspace, pattern))],
            ),
            self._write("POST /tickets", self._headers, client),
            self._write("POST /tickets, with SLA", *await self._promise()),
        ]

    async def _promise(self) -> tuple[dict[str, str], str]:
        """A workspace whose tickets have an SLA: the headers for it, and a client."""
        headers = {**self._headers, "x-workspace-id": WITH_SLA}
        async with httpx.AsyncClient(base_url=f"{self._stack.base_url}/api/v1", headers=headers) as http:

            async def create(path: str, body: dict[str, object]) -> str:
                answer = await http.post(path, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
                if answer.status_code == 409:
                    return str((await http.get(path)).json()["data"][0]["id"])
                return str(answer.raise_for_status().json()["id"])

            windows = [{"day": day, "opens": "09:00", "closes": "17:00"} for day in WORKDAYS]
            targets = [{"priority": "medium", "firstResponseMinutes": 240, "resolutionMinutes": 1440}]
            calendar = {"timeZone": "Europe/Dublin", "windows": windows}
            await create(
                "/sla-policies", {"name": "Standard", "isDefault": True, "calendar": calendar, "targets": targets}
            )
            return headers, await create("/clients", {"name": "Acme"})

    def _read(
        self, name: str, path: Callable[[], str], queries: Callable[[], list[tuple[str, tuple[object, ...]]]]
    ) -> Case:
        base, bare = self._stack.base_url, f"http://{self._plain_address}"
        return Case(
            name,
            lambda: self._load(base, lambda: get(f"{base}/api/v1{path()}", self._headers), 200),
            lambda: self._load(bare, lambda: get(bare + path(), self._headers), 200),
            lambda: self._bare(queries),
        )

    def _write(self, name: str, headers: dict[str, str], client: str) -> Case:
        base, bare = self._stack.base_url, f"http://{self._plain_address}"
        body = json.dumps({"subject": "Bench ticket, printer broken", "clientId": client}).encode()

        def keyed() -> bytes:
            return post(f"{base}/api/v1/tickets", {**headers, "Idempotency-Key": uuid.uuid4().hex}, body)

        def insert() -> list[tuple[str, tuple[object, ...]]]:
            workspace = headers["x-workspace-id"]
            return [(plain.INSERT, (workspace, str(uuid.uuid4()), "Bench ticket, printer broken", client))]

        return Case(
            name,
            lambda: self._load(base, keyed, 201),
            lambda: self._load(bare, lambda: post(f"{bare}/tickets", headers, body), 201),
            lambda: self._bare(insert),
        )

    async def _load(self, base: str, make: Callable[[], bytes], status: int) -> Measured:
        address = base.removeprefix("http://")
        return await measure(address, make, connections=CONNECTIONS, seconds=self._seconds, status=status)

    async def _bare(self, queries: Callable[[], list[tuple[str, tuple[object, ...]]]]) -> Measured:
        latencies: list[float] = []
        started = time.perf_counter()

        async def worker() -> None:
            async with self._pool.acquire() as connection:
                while (begun := time.perf_counter()) < started + self._seconds:
                    for query, arguments in queries():
                        await connection.fetch(query, *arguments)
                    latencies.append(time.perf_counter() - begun)

        await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
        return summarize(latencies, time.perf_counter() - started)


async def run_case(case: Case, options: Options) -> list[Figure]:
    """Rate beside the plain program, median latency beside the bare query."""
    for run in (case.whole, case.plain, case.bare):
        await run()
    whole, plain_program, bare = [], [], []
    for _ in range(options.rounds):
        whole.append(await case.whole())
        plain_program.append(await case.plain())
        bare.append(await case.bare())
    return [
        Figure(
            "tickets",
            case.name,
            "/s",
            [each.rate for each in whole],
            "plain program",
            [each.rate for each in plain_program],
        ),
        Figure(
            "tickets",
            f"{case.name}, median",
            "ms",
            [each.p50 for each in whole],
            "bare query",
            [each.p50 for each in bare],
            less_is_better=True,
        ),
    ]


async def figures(options: Options) -> list[Figure]:
    found: list[Figure] = []
    async with Stack(options.data / "tickets", services=("ops", "platform"), extra_env=quiet("ops")) as stack:
        admin_url = with_database(stack.admin_url, "ops")
        await data.load(admin_url, options.report)
        async with (
            serving("bench.plain:app", admin_url) as plain_address,
            asyncpg.create_pool(admin_url, min_size=1, max_size=CONNECTIONS) as pool,
        ):
            bench = Bench(stack, plain_address, pool, options.seconds)
            for case in await bench.cases():
                options.report(case.name)
                found += await run_case(case, options)
    return found
