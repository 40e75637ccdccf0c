"""How fast tickets are created many at a time, as imports do it, beside bare inserts.

The whole way of a row is taken (rules, SLA, references, number, search text, event, audit record), over gRPC, by two
callers at once in one workspace; a chunk of 500 is one unit of work. The floor is the same number of rows written by
one statement a chunk into the same table, with its indexes and nothing else.
"""

import asyncio
import tempfile
import time
import uuid
from pathlib import Path

import asyncpg
from google.protobuf.any_pb2 import Any as AnyMessage

from bench.figures import Figure
from bench.options import Options, quiet
from devstack.stack import Stack
from kit import contract
from kit.bootstrap import with_database
from kit.calls import Passport, ServiceCall, Services
from kit.identity import Principal, TokenSigner
from opsfield.ops.v1.bulk_pb2 import CreateResourcesRequest
from opsfield.ops.v1.clients_pb2 import Client, CreateClientRequest
from opsfield.ops.v1.sla_policies_pb2 import CreateSlaPolicyRequest, SlaPolicy
from opsfield.ops.v1.tickets_pb2 import Ticket

CHUNK = 500
CHUNKS = 12
CALLERS = 2

# The rows that the whole way has just written, as new ones of another workspace.
_ROWS = """
SELECT jsonb_agg(to_jsonb(ticket) || jsonb_build_object(
    'workspace_id', 'floor', 'id', gen_random_uuid(), 'number', nextval('bench_floor'), 'sla_policy_id', NULL
))::text
FROM (SELECT * FROM tickets WHERE workspace_id = $1 ORDER BY id LIMIT $2 OFFSET $3) AS ticket
"""
_INSERT = "INSERT INTO tickets SELECT * FROM jsonb_populate_recordset(NULL::tickets, $1::jsonb)"


class Bench:
    def __init__(self, stack: Stack) -> None:
        signer = TokenSigner.from_file("integrations", stack.layout.key("integrations"))
        self._services = Services({"ops": stack.address("ops")}, signer, timeout=60)
        self._rpcs = {rpc.name: rpc for rpc in contract.owned_by("ops")}
        self.workspace = f"bulk-{uuid.uuid4().hex[:8]}"

    async def call(self, name: str, request: object) -> object:
        principal = Principal("service:integrations", workspace_id=self.workspace, service="integrations")
        call = ServiceCall(self._services, "ops", self._rpcs[name])
        return (await call(request, Passport(principal, "bench", uuid.uuid4().hex))).message  # type: ignore[arg-type]

    async def prepare(self, *, with_sla: bool) -> None:
        """A workspace of its own with twenty clients, and a default policy or none."""
        self.workspace = f"bulk-{uuid.uuid4().hex[:8]}"
        clients = [
            await self.call("CreateClient", CreateClientRequest(client=Client(name=f"Client {n}"))) for n in range(20)
        ]
        self._clients = [client.id for client in clients]  # type: ignore[attr-defined]
        if with_sla:
            await self.call("CreateSlaPolicy", CreateSlaPolicyRequest(sla_policy=_policy()))

    def _chunk(self, number: int) -> CreateResourcesRequest:
        request = CreateResourcesRequest(kind="tickets")
        for n in range(CHUNK):
            packed = AnyMessage()
            packed.Pack(
                Ticket(
                    subject=f"Printer {number}/{n} does not print, order {number * CHUNK + n}",
                    description="It did yesterday. Since this morning the queue is stuck and a red light blinks.",
                    client_id=self._clients[n % 20],
                    priority=Ticket.HIGH if n % 3 else Ticket.LOW,
                    tags=["imported", "printer"],
                )
            )
            request.resources.append(packed)
        return request

    async def run(self) -> float:
        """Rows per second."""
        chunks = [self._chunk(number) for number in range(CHUNKS)]
        began = time.perf_counter()

        async def caller(mine: list[CreateResourcesRequest]) -> None:
            for chunk in mine:
                response = await self.call("CreateResources", chunk)
                refused = [each for each in response.results if not each.id]  # type: ignore[attr-defined]
                assert not refused, refused[0]

        await asyncio.gather(*(caller(chunks[n::CALLERS]) for n in range(CALLERS)))
        return CHUNK * CHUNKS / (time.perf_counter() - began)

    async def floor(self, pool: "asyncpg.Pool[asyncpg.Record]") -> float:
        """Rows per second of bare inserts of the same rows."""
        await pool.execute("CREATE SEQUENCE IF NOT EXISTS bench_floor")
        chunks = [await pool.fetchval(_ROWS, self.workspace, CHUNK, number * CHUNK) for number in range(CHUNKS)]
        waiting = iter(chunks)

        async def caller() -> None:
            async with pool.acquire() as connection:
                # No check of foreign keys, whose clients are in another workspace.
                await connection.execute("SET session_replication_role = replica")
                for chunk in waiting:
                    await connection.execute(_INSERT, chunk)

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return CHUNK * CHUNKS / (time.perf_counter() - began)

    async def close(self) -> None:
        await self._services.close()


def _policy() -> SlaPolicy:
    days = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY")
    policy = SlaPolicy(name="Business hours", is_default=True)
    policy.calendar.time_zone = "Europe/Dublin"
    for day in days:
        policy.calendar.windows.add(day=day, opens="09:00", closes="17:00")
    for priority, response, resolution in (("LOW", 480, 2400), ("MEDIUM", 240, 1440), ("HIGH", 60, 480)):
        policy.targets.add(priority=priority, first_response_minutes=response, resolution_minutes=resolution)
    return policy


async def figures(options: Options) -> list[Figure]:
    found: dict[str, list[float]] = {"with SLA": [], "without SLA": []}
    bare: list[float] = []
    with tempfile.TemporaryDirectory(prefix="opsfield-bench-") as folder:
        async with Stack(Path(folder), services=("ops", "platform"), gateway=False, extra_env=quiet("ops")) as stack:
            bench = Bench(stack)
            async with asyncpg.create_pool(with_database(stack.admin_url, "ops"), min_size=1, max_size=2) as pool:
                for _ in range(options.rounds):
                    await bench.prepare(with_sla=False)
                    found["without SLA"].append(await bench.run())
                    await bench.prepare(with_sla=True)
                    found["with SLA"].append(await bench.run())
                    bare.append(await bench.floor(pool))
            await bench.close()
    return [
        Figure("bulk", f"tickets created in chunks, {name}", "rows/s", rates, "bare inserts", bare)
        for name, rates in found.items()
    ]
