"""A fleet of endpoint agents, thousands over few connections:

    python -m bench.fleet --url http://127.0.0.1:8080 --token "$ENROLLMENT_TOKEN" --agents 1000 --minutes 10

Each enrolls, sends a batch every interval, and sends it again, with the same key, until it is acknowledged, whatever
happens on the other side. At the end the count of acknowledged events is what the platform must have stored.
"""

import argparse
import asyncio
import base64
import gzip
import heapq
import json
import random
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import quantiles
from urllib.parse import urlsplit

import jwt
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

METRICS = (
    ("cpu.used_percent", ""),
    ("cpu.load_1m", ""),
    ("memory.used_percent", ""),
    ("memory.available_bytes", ""),
    *((name, mount) for name in ("disk.used_percent", "disk.free_bytes") for mount in ("/", "/var", "/home", "/srv")),
    *(
        (f"network.{way}_bytes_per_second", interface)
        for way in ("received", "sent")
        for interface in ("eth0", "eth1", "wlan0")
    ),
)
_RETRY_SECONDS = 1.0
_REPORT_SECONDS = 10.0


class Refused(Exception):
    """An answer that no repetition will change."""


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """One kept-alive HTTP/1.1 connection, made anew after any trouble."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, headers: Mapping[str, str], body: bytes, *, seconds: float = 60) -> Answer:
        """Raises OSError (a TimeoutError among them) when there is no answer."""
        head = [f"POST {path} HTTP/1.1", f"host: {self._host}", f"content-length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        except (OSError, EOFError) as error:
            self.close()
            raise OSError(f"no answer: {type(error).__name__}") from error

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, request: bytes) -> Answer:
        reader, writer = self._streams or await self._open()
        writer.write(request)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            self.close()
        return Answer(int(lines[0].split()[1]), headers, body)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._streams = await asyncio.open_connection(self._host, self._port)
        return self._streams


@dataclass
class Agent:
    """`unsent` is the batch that is not acknowledged yet: its key, and its body."""

    number: int
    workspace: str
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    id: str = ""
    bearer: str = ""
    unsent: tuple[str, bytes] | None = None


@dataclass
class Figures:
    """What happened so far; latencies in seconds, of batches that were acknowledged at the first try."""

    batches: int = 0
    events: int = 0
    replays: int = 0
    retries: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    def retry(self, reason: str) -> None:
        self.retries[reason] = self.retries.get(reason, 0) + 1

    def __str__(self) -> str:
        cuts = quantiles(self.latencies, n=100) if len(self.latencies) > 1 else [0.0] * 99
        told = f"{self.batches} batches, {self.events} events acknowledged, p50 {cuts[49] * 1000:.1f} ms, "
        told += f"p99 {cuts[98] * 1000:.1f} ms; answered before: {self.replays}"
        return told + (f"; tried again: {self.retries}" if self.retries else "")


class Fleet:
    """`agents` at one platform, over so many connections."""

    def __init__(self, base_url: str, token: str, agents: int, *, connections: int = 8) -> None:
        self._base_url = base_url
        self._token = token
        workspace = token.partition(".")[0]
        self.agents = [Agent(number, workspace) for number in range(agents)]
        self._connections = connections
        self.figures = Figures()

    async def enroll(self) -> None:
        """Raises Refused when the token is."""
        shares = [self.agents[start :: self._connections] for start in range(self._connections)]
        await asyncio.gather(*(self._enroll(share) for share in shares))

    async def run(self, *, interval: float, seconds: float) -> None:
        """Send for that long, then until each batch that was begun is acknowledged."""
        stop_at = time.monotonic() + seconds
        shares = [self.agents[start :: self._connections] for start in range(self._connections)]
        await asyncio.gather(*(self._send(share, interval, stop_at) for share in shares))

    async def _enroll(self, agents: list[Agent]) -> None:
        connection = Connection(self._base_url)
        for agent in agents:
            public = base64.urlsafe_b64encode(agent.key.public_key().public_bytes_raw()).decode().rstrip("=")
            body = {"token": self._token, "publicKey": public, "hostname": f"simulated-{agent.number:05}"}
            agent.id = (await self._ask(connection, "/api/v1/edge-agent/enroll", body))["agentId"]
            await self._renew(connection, agent)
        connection.close()

    async def _renew(self, connection: Connection, agent: Agent) -> None:
        now = int(time.time())
        claims = {"iss": agent.id, "sub": agent.id, "aud": "opsfield", "iat": now, "exp": now + 60}
        assertion = jwt.encode({**claims, "jti": uuid.uuid4().hex}, agent.key, algorithm="EdDSA")
        body = {"assertion": f"{agent.workspace}.{assertion}", "validMinutes": 1440}
        agent.bearer = (await self._ask(connection, "/api/v1/edge-agent/token", body))["accessToken"]

    async def _ask(self, connection: Connection, path: str, body: Mapping[str, object]) -> dict[str, str]:
        headers = {"content-type": "application/json", "idempotency-key": uuid.uuid4().hex}
        while True:
            try:
                answer = await connection.post(path, headers, json.dumps(body).encode())
            except OSError:
                answer = Answer(503, {}, b"")
            if answer.status == 201:
                found: dict[str, str] = json.loads(answer.body)
                return found
            if answer.status not in (409, 429, 503):
                raise Refused(f"{path}: {answer.status} {answer.body.decode()[:300]}")
            await asyncio.sleep(_RETRY_SECONDS)

    async def _send(self, agents: list[Agent], interval: float, stop_at: float) -> None:
        connection = Connection(self._base_url)
        begin = time.monotonic()
        due = [(begin + random.uniform(0, interval), agent.number, agent) for agent in agents]
        heapq.heapify(due)
        while due:
            at, _, agent = heapq.heappop(due)
            if agent.unsent is None and max(at, time.monotonic()) >= stop_at:
                continue
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            pause = await self._send_one(connection, agent)
            heapq.heappush(due, ((at + interval) if pause is None else time.monotonic() + pause, agent.number, agent))
        connection.close()

    async def _send_one(self, connection: Connection, agent: Agent) -> float | None:
        """None when the batch was acknowledged; else seconds to wait before it is sent again."""
        is_first_try = agent.unsent is None
        key, body = agent.unsent = agent.unsent or (uuid.uuid4().hex, batch())
        headers = {
            "authorization": f"Bearer {agent.bearer}",
            "x-workspace-id": agent.workspace,
            "content-type": "application/json",
            "content-encoding": "gzip",
            "idempotency-key": key,
        }
        begun = time.perf_counter()
        try:
            answer = await connection.post("/api/v1/events/ingest", headers, body)
        except OSError as error:
            self.figures.retry(str(error))
            return _RETRY_SECONDS
        if answer.status != 200:
            if answer.status not in (409, 429, 503):
                raise Refused(f"{answer.status} {answer.body.decode()[:300]}")
            self.figures.retry(str(answer.status))
            return float(answer.headers.get("retry-after", _RETRY_SECONDS))
        if is_first_try:
            self.figures.latencies.append(time.perf_counter() - begun)
        result = json.loads(answer.body)
        if result["rejected"]:
            raise Refused(f"events were rejected: {result['errors'][:3]}")
        self.figures.replays += answer.headers.get("idempotency-replayed") == "true"
        self.figures.batches += 1
        self.figures.events += result["accepted"]
        agent.unsent = None
        return None


def events(count: int | None = None) -> list[dict[str, object]]:
    """What an agent measures at one time; with `count` so often that there are so many."""
    at = datetime.now(UTC).isoformat()
    return [
        {"type": "metric", "observedAt": at, "name": name, "instance": instance, "value": random.random() * 50}
        for name, instance in (METRICS * (1 + (count or 0) // len(METRICS)))[: count or len(METRICS)]
    ]


def batch(count: int | None = None) -> bytes:
    """A batch as it is sent."""
    return gzip.compress(json.dumps({"events": events(count)}).encode(), compresslevel=5)


async def _main(arguments: argparse.Namespace) -> None:
    fleet = Fleet(arguments.url, arguments.token, arguments.agents, connections=arguments.connections)
    begun = time.monotonic()
    await fleet.enroll()
    print(f"{len(fleet.agents)} agents enrolled in {time.monotonic() - begun:.1f} s", flush=True)
    running = asyncio.create_task(fleet.run(interval=arguments.interval, seconds=arguments.minutes * 60))
    while not running.done():
        await asyncio.wait([running], timeout=_REPORT_SECONDS)
        print(f"{time.monotonic() - begun:6.0f} s  {fleet.figures}", flush=True)
    running.result()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--token", required=True, help="an enrollment token")
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--interval", type=float, default=30, help="seconds between two batches of an agent")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--connections", type=int, default=8)
    try:
        uvloop.run(_main(parser.parse_args()))
    except Refused as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
