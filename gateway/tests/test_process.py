"""The program as it is started: what it says when it cannot, how it stops, what a connection may cost."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from gateway.settings import address_variable
from gateway.tests import tokens
from gateway.tests.fake_service import FakeService
from gateway.tests.resources import TICKET_ID, ticket
from opsfield.ops.v1.tickets_pb2 import Ticket
from opsfield.telemetry.v1.ingest_pb2 import IngestResult
from opsfield.workflow.v1.executions_pb2 import Execution

REPOSITORY = Path(__file__).parents[2]
INGEST = "/api/v1/events/ingest"
LARGEST = 8 * 1024 * 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Program:
    """`python -m gateway` on a port of its own."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.port = free_port()
        path = f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'gen'}"
        self._variables = {"PYTHONPATH": path, "OPSFIELD_PORT": str(self.port), **variables}

    async def start(self) -> "asyncio.subprocess.Process":
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway",
            env=self._variables,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def until_it_serves(self, process: "asyncio.subprocess.Process") -> None:
        async with httpx.AsyncClient(timeout=1) as client, asyncio.timeout(60):
            while process.returncode is None:
                try:
                    await client.get(f"http://127.0.0.1:{self.port}/health")
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return
        raise AssertionError("the gateway did not start")


@pytest.fixture
def variables(services: dict[str, FakeService], key_file: Path, trust_file: Path) -> dict[str, str]:
    return {
        "ENVIRONMENT": "development",
        "INTERNAL_KEY_FILE": str(key_file),
        "INTERNAL_TRUST_FILE": str(trust_file),
        "JWT_DEV_SECRET": tokens.SECRET,
        "JWT_ISSUER": tokens.ISSUER,
        "JWT_AUDIENCE": tokens.AUDIENCE,
        "LOG_LEVEL": "info",
        **{address_variable(name): service.address for name, service in services.items()},
    }


@pytest_asyncio.fixture
async def program(variables: dict[str, str]) -> AsyncIterator[tuple[Program, "asyncio.subprocess.Process"]]:
    running = Program(variables)
    process = await running.start()
    try:
        await running.until_it_serves(process)
        yield running, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


Running = tuple[Program, "asyncio.subprocess.Process"]


async def test_it_serves_and_stops_when_asked(program: Running, ops: FakeService) -> None:
    running, process = program
    ops.answers["GetTicket"] = lambda _: ticket()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}", headers=tokens.bearer()) as client:
        response = await client.get(f"/api/v1/tickets/{TICKET_ID}")
        assert response.status_code == 200
        assert "server" not in response.headers
    process.send_signal(signal.SIGTERM)
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert b"stopped" in output
    assert b"Traceback" not in output


async def test_a_request_in_flight_is_finished_before_it_stops(program: Running, ops: FakeService) -> None:
    running, process = program

    def stop_while_answering(_: object) -> object:
        process.send_signal(signal.SIGTERM)
        return ticket()

    ops.answers["GetTicket"] = stop_while_answering  # type: ignore[assignment]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}", headers=tokens.bearer()) as client:
        assert (await client.get(f"/api/v1/tickets/{TICKET_ID}")).status_code == 200
    assert await process.wait() == 0


async def test_who_waits_for_an_end_is_answered_as_soon_as_it_stops(
    program: Running, services: dict[str, FakeService]
) -> None:
    running, process = program

    def stop_while_it_runs(_: object) -> Execution:
        process.send_signal(signal.SIGTERM)
        return Execution(id=TICKET_ID, status=Execution.RUNNING)

    begin = Execution(id=TICKET_ID, status=Execution.QUEUED)
    services["workflow"].answers = {"ExecuteReasoner": lambda _: begin, "GetExecution": stop_while_it_runs}
    headers = tokens.bearer() | {"idempotency-key": "k", "prefer": "wait=60"}
    async with asyncio.timeout(30), httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
        answer = await client.post("/api/v1/execute/triage.classify", json={"input": {}}, headers=headers, timeout=30)
        assert (answer.status_code, answer.json()["status"]) == (202, "running")
        assert await process.wait() == 0


async def test_what_takes_longer_than_it_may_to_stop_is_told_to_come_again(
    variables: dict[str, str], ops: FakeService
) -> None:
    running = Program(variables | {"GRACE_SECONDS": "1"})
    process = await running.start()

    async def never(_: object) -> Ticket:
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(20)
        return ticket()

    ops.answers["GetTicket"] = never
    try:
        await running.until_it_serves(process)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}", headers=tokens.bearer()) as client:
            answer = await client.get(f"/api/v1/tickets/{TICKET_ID}", timeout=15)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["content-type"] == "application/problem+json"
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_large_body_that_stops_coming_takes_up_room_until_its_caller_is_gone(
    variables: dict[str, str], services: dict[str, FakeService]
) -> None:
    services["telemetry"].answers["IngestEvents"] = lambda _: IngestResult(accepted=1)
    running = Program(variables | {"RAW_BODY_BUDGET_BYTES": str(LARGEST)})
    process = await running.start()
    headers = tokens.bearer() | {"idempotency-key": "k", "content-type": "application/json"}
    try:
        await running.until_it_serves(process)
        _, slow = await asyncio.open_connection("127.0.0.1", running.port)
        head = f"POST {INGEST} HTTP/1.1\r\nhost: x\r\ncontent-length: {LARGEST}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        slow.write(head.encode() + b"\r\n" + bytes(LARGEST // 2))
        await slow.drain()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}", headers=headers) as client:
            async with asyncio.timeout(10):
                while (refused := await client.post(INGEST, content=b"{}")).status_code == 200:
                    await asyncio.sleep(0.05)
            assert (refused.status_code, refused.headers["connection"]) == (429, "close")
            slow.close()
            async with asyncio.timeout(10):
                while (taken := await client.post(INGEST, content=bytes(LARGEST))).status_code == 429:
                    await asyncio.sleep(0.05)
        assert taken.status_code == 200
        assert services["telemetry"].last.request.batch.data == bytes(LARGEST)
    finally:
        process.kill()
        await process.communicate()


async def exchange(port: int, data: bytes) -> bytes:
    """What is answered to raw bytes, until the gateway ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()


HEALTH = b"GET /health HTTP/1.1\r\nhost: x\r\n"


@pytest.mark.parametrize(
    ("status", "code", "head"),
    [
        (431, "headers-too-large", HEALTH + b"".join(b"x-%d: 1\r\n" % number for number in range(101)) + b"\r\n"),
        (431, "headers-too-large", HEALTH + b"x-long: " + b"a" * 17_000 + b"\r\n\r\n"),
        (431, "headers-too-large", HEALTH + b"authorization: Bearer " + b"a" * 1_000_000 + b"\r\n\r\n"),
        (414, "url-too-long", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"),
        (400, "malformed-http", b"NONSENSE\r\n\r\n"),
        (400, "malformed-http", HEALTH + b"content-length: x\r\n\r\n"),
    ],
)
async def test_a_head_out_of_bounds_ends_the_connection(program: Running, status: int, code: str, head: bytes) -> None:
    running, process = program
    first, _, body = (await exchange(running.port, head)).partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/problem+json\r\n" in first
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (status, code)
    assert f"x-correlation-id: {problem['correlationId']}" in first.decode()
    assert process.returncode is None


@pytest.mark.parametrize(
    ("changed", "code", "says"),
    [
        ({"ENVIRONMENT": "production"}, 2, b"JWT_DEV_SECRET is refused"),
        ({"INTERNAL_KEY_FILE": "/nowhere/key.pem"}, 1, b"/nowhere/key.pem"),
        ({"INTERNAL_TRUST_FILE": "/nowhere/trust.json"}, 1, b"/nowhere/trust.json"),
        ({"RAW_BODY_BUDGET_BYTES": "1000"}, 1, b"RAW_BODY_BUDGET_BYTES"),
    ],
)
async def test_it_says_why_it_cannot_start(
    variables: dict[str, str], changed: dict[str, str], code: int, says: bytes
) -> None:
    process = await Program(variables | changed).start()
    output, _ = await process.communicate()
    assert process.returncode == code
    assert says in output
    assert b"Traceback" not in output


async def test_a_taken_port_is_said_in_a_sentence(variables: dict[str, str]) -> None:
    program = Program(variables)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", program.port))
        taken.listen()
        process = await program.start()
        output, _ = await process.communicate()
    assert process.returncode == 1
    assert str(program.port).encode() in output
    assert b"Traceback" not in output
