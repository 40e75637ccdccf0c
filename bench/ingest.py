"""What taking telemetry in costs, beside a bare COPY of the same rows into the same table.

- events a second through the whole path (gateway, gRPC, telemetry, PostgreSQL), in batches of 10,000 and of 60 events,
  beside one asyncpg client that copies ready-made rows of the same content in batches of the same size, a transaction
  each, with as many connections. Rounds alternate, each figure is the median of its rounds.
- the cost of an event from 1 to 10,000 agents, and from none to 50,000,000 rows that lie in the table already.
- what enrolling an agent costs in an empty workspace, and with 10,000 agents there already.
- from a batch's acknowledgement to `alert.triggered` on Kafka, at half the load that the whole path takes.
"""

import asyncio
import gzip
import itertools
import json
import random
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import orjson
from aiokafka import AIOKafkaConsumer

from bench.figures import Figure
from bench.fleet import Fleet, batch, events
from bench.load import Measured, measure, post, summarize
from bench.options import Options, quiet
from devstack.stack import Stack
from kit.bearer_tokens import BearerTokenIssuer
from kit.bootstrap import with_database

WORKSPACE = "bench"
CONNECTIONS = 4
LARGE, SMALL = 10_000, 60
AIM = 0.35
COLUMNS = ("workspace_id", "agent", "kind", "name", "instance", "value", "body", "observed_at", "received_at")
# As the service's role, straight into the partition of the day.
ADD_AGENTS = """
INSERT INTO agents (workspace_id, id, public_key, hostname, client_id, enrollment_token_id, created_at, search)
SELECT $1, gen_random_uuid(), gen_random_uuid()::text, 'host-' || n, $3, gen_random_uuid(), now(), 'host-' || n
FROM generate_series(1, $2::int) AS n RETURNING id::text
"""
FILL = """
INSERT INTO partitions.events_{day} (workspace_id, agent, kind, name, instance, value, observed_at, received_at)
SELECT $1, n % 10000, 'metric', 'disk.used_percent', '/', n % 100, at, at
FROM generate_series($2::bigint, $3::bigint) AS n, LATERAL (
    SELECT date_trunc('day', now(), 'UTC') + (now() - date_trunc('day', now(), 'UTC')) * ((n % 86400) / 86400.0) AS at
) AS t
"""


@dataclass(frozen=True)
class Sender:
    """The tokens of the agents that send, in turn."""

    base_url: str
    bearers: Sequence[str]

    def batches(self, body: bytes) -> Callable[[], bytes]:
        """Makes requests that send the body under a new key each, from the next agent each."""
        url, turn = f"{self.base_url}/api/v1/events/ingest", itertools.cycle(self.bearers)

        def make() -> bytes:
            headers = {
                "Authorization": f"Bearer {next(turn)}",
                "x-workspace-id": WORKSPACE,
                "Idempotency-Key": uuid.uuid4().hex,
                "Content-Encoding": "gzip",
            }
            return post(url, headers, body)

        return make

    async def send(self, size: int, seconds: float) -> Measured:
        address = self.base_url.removeprefix("http://")
        make = self.batches(batch(size))
        return await measure(address, make, connections=CONNECTIONS, seconds=seconds, status=200)


class Bench:
    def __init__(self, stack: Stack, admin: "asyncpg.Connection[asyncpg.Record]", seconds: float, rounds: int) -> None:
        self._stack = stack
        self._admin = admin
        self._seconds = seconds
        self._rounds = rounds
        self._issuer = BearerTokenIssuer.from_file("telemetry", stack.layout.key("telemetry"), audience="opsfield")
        self._client = ""

    async def prepare(self) -> None:
        """Make the client that all agents are of."""
        headers = {
            "Authorization": f"Bearer {self._stack.token(('ops_engineer',), (WORKSPACE,))}",
            "x-workspace-id": WORKSPACE,
            "Idempotency-Key": uuid.uuid4().hex,
        }
        async with httpx.AsyncClient(base_url=self._stack.base_url, headers=headers) as http:
            answer = await http.post("/api/v1/clients", json={"name": "Bench"})
        self._client = answer.raise_for_status().json()["id"]

    async def sender(self, agents: int) -> Sender:
        rows = await self._admin.fetch(ADD_AGENTS, WORKSPACE, agents, self._client)
        return Sender(self._stack.base_url, [self._bearer(row["id"]) for row in rows])

    def _bearer(self, agent: str) -> str:
        token, _ = self._issuer.issue(
            f"agent:{agent}", workspace_id=WORKSPACE, role="endpoint_agent", lifetime=timedelta(hours=6), agent_id=agent
        )
        return token

    async def against_copy(self, size: int) -> list[Figure]:
        sender = await self.sender(CONNECTIONS)
        pool = await asyncpg.create_pool(self._stack.database_url("telemetry"), min_size=4, max_size=CONNECTIONS)
        await sender.send(size, 2)
        whole, bare = [], []
        for _ in range(self._rounds):
            whole.append((await sender.send(size, self._seconds)).rate * size)
            bare.append((await self._copy(pool, size)).rate * size)
        await pool.close()
        aim = AIM if size == LARGE else None
        return [Figure("ingest", f"batches of {size:,}", "events/s", whole, "bare COPY", bare, aim=aim)]

    async def _copy(self, pool: "asyncpg.Pool[asyncpg.Record]", size: int) -> Measured:
        now = datetime.now(UTC)
        rows = [
            (WORKSPACE, 1, "metric", each["name"], each["instance"], each["value"], None, now, now)
            for each in events(size)
        ]
        leaf, latencies, started = f"events_{now:%Y%m%d}", list[float](), time.perf_counter()

        async def worker() -> None:
            async with pool.acquire() as connection:
                while (begun := time.perf_counter()) < started + self._seconds:
                    await connection.execute(f"BEGIN; SET LOCAL opsfield.workspace_id = '{WORKSPACE}'")
                    await connection.copy_records_to_table(
                        leaf, records=rows, columns=COLUMNS, schema_name="partitions"
                    )
                    await connection.execute("COMMIT")
                    latencies.append(time.perf_counter() - begun)

        await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
        return summarize(latencies, time.perf_counter() - started)

    async def by_agents(self, counts: Sequence[int]) -> list[Figure]:
        senders = [await self.sender(count) for count in counts]
        rates: list[list[float]] = [[] for _ in counts]
        for sender in senders:
            # Each agent at least once: the first batch of one has its token verified, and turns it online.
            await sender.send(SMALL, max(2.0, len(sender.bearers) / 200))
        for _ in range(self._rounds):
            for sender, rate in zip(senders, rates, strict=True):
                rate.append((await sender.send(SMALL, self._seconds)).rate)
        return [
            Figure("ingest", f"batches of {SMALL} from {count:,} agents", "/s", rate, f"from {counts[0]}", rates[0])
            for count, rate in zip(counts[1:], rates[1:], strict=True)
        ]

    async def by_rows(self, rows: int, report: Callable[[str], None]) -> list[Figure]:
        sender = await self.sender(100)
        await sender.send(SMALL, 2)

        async def rates() -> list[float]:
            return [(await sender.send(SMALL, self._seconds)).rate for _ in range(self._rounds)]

        before = await rates()
        day, step = f"{datetime.now(UTC):%Y%m%d}", 1_000_000
        await self._admin.execute(f"SET opsfield.workspace_id = '{WORKSPACE}'")
        for start in range(0, rows, step):
            await self._admin.execute(FILL.format(day=day), WORKSPACE, start, min(start + step, rows) - 1, timeout=600)
            if start % (10 * step) == 0:
                report(f"{start:,} of {rows:,} events laid in")
        await self._admin.execute("CHECKPOINT")
        name = f"batches of {SMALL} with {rows:,} events there"
        return [Figure("ingest", name, "/s", await rates(), "with none", before)]

    async def enrollment(self, agents: int) -> list[Figure]:
        async with httpx.AsyncClient(base_url=self._stack.base_url) as http:
            headers = {
                "Authorization": f"Bearer {self._stack.token(('ops_engineer',), (WORKSPACE,))}",
                "x-workspace-id": WORKSPACE,
                "Idempotency-Key": uuid.uuid4().hex,
            }
            path = "/api/v1/edge-agent/enrollment/rotate"
            answer = await http.post(path, json={"clientId": self._client}, headers=headers)
        token = answer.raise_for_status().json()["token"]

        async def milliseconds(count: int = 300) -> float:
            fleet = Fleet(self._stack.base_url, token, count, connections=1)
            begun = time.perf_counter()
            await fleet.enroll()
            return (time.perf_counter() - begun) / count * 1000

        await milliseconds(50)
        first = [await milliseconds(100) for _ in range(self._rounds)]
        await self.sender(agents)
        then = [await milliseconds(100) for _ in range(self._rounds)]
        name = f"to enroll, with {agents:,} agents there"
        return [Figure("ingest", name, "ms", then, "with few", first, less_is_better=True)]

    async def alert_latency(self) -> list[Figure]:
        sender = await self.sender(200)
        full = (await sender.send(SMALL, self._seconds)).rate
        pause = CONNECTIONS / (full / 2)
        make, count = sender.batches(batch(SMALL)), 100
        watched = await self.sender(count)
        seen: dict[str, float] = {}
        consumer = AIOKafkaConsumer("alert.triggered", bootstrap_servers=self._stack.kafka_bootstrap)
        await consumer.start()

        async def listen() -> None:
            async for record in consumer:
                event = orjson.loads(record.value)
                labels = {each["name"]: each["value"] for each in event["data"]["alert"]["labels"]}
                seen.setdefault(labels.get("instance", ""), time.perf_counter())

        listening = asyncio.create_task(listen())
        loading = asyncio.create_task(_steadily(self._stack.base_url, make, pause))
        sent: dict[str, float] = {}
        async with httpx.AsyncClient(base_url=self._stack.base_url) as http:
            for number, bearer in enumerate(watched.bearers):
                await asyncio.sleep(random.uniform(0.05, 0.3))
                await _breach(http, bearer, f"/disk-{number}")
                sent[f"/disk-{number}"] = time.perf_counter()
        await asyncio.sleep(10)
        loading.cancel()
        listening.cancel()
        await consumer.stop()
        found = sorted(max(0.0, seen[each] - at) for each, at in sent.items() if each in seen)
        assert len(found) == count, f"{count - len(found)} alerts did not come"
        return [
            Figure("ingest", f"from ack to alert, {name}", "ms", [value * 1000], less_is_better=True, aim=aim)
            for name, value, aim in (("median", found[count // 2], None), ("p99", found[int(count * 0.99)], 1000))
        ]


async def _steadily(base_url: str, make: Callable[[], bytes], pause: float) -> None:
    """Send at a rate, over each connection one request every `pause` seconds."""
    host, _, port = base_url.removeprefix("http://").rpartition(":")

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        due = time.perf_counter()
        while True:
            due += pause
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(make())
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


async def _breach(http: httpx.AsyncClient, bearer: str, instance: str) -> None:
    at = datetime.now(UTC).isoformat()
    event = {"type": "metric", "observedAt": at, "name": "disk.used_percent", "instance": instance, "value": 99}
    headers = {
        "Authorization": f"Bearer {bearer}",
        "x-workspace-id": WORKSPACE,
        "Idempotency-Key": uuid.uuid4().hex,
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    body = gzip.compress(json.dumps({"events": [event]}).encode())
    (await http.post("/api/v1/events/ingest", headers=headers, content=body)).raise_for_status()


async def figures(options: Options) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="opsfield-bench-") as folder:
        async with Stack(Path(folder), services=("platform", "ops", "telemetry"), extra_env=quiet()) as stack:
            admin = await asyncpg.connect(with_database(stack.admin_url, "telemetry"))
            bench = Bench(stack, admin, options.seconds, options.rounds)
            await bench.prepare()
            found = await bench.against_copy(LARGE) + await bench.against_copy(SMALL)
            options.report("from many agents")
            found += await bench.by_agents((1, 100, 10_000))
            options.report("alerts")
            found += await bench.alert_latency() + await bench.enrollment(10_000)
            if options.full:
                found += await bench.by_rows(50_000_000, options.report)
            await admin.close()
            return found
