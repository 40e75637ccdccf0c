"""Agents that run elsewhere, played by the test: nodes over real HTTP, and what they tell the service."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from kit.call import Call
from kit.database import Database
from kit.identity import Principal
from kit.unit_of_work import UnitOfWork, unit_of_work
from opsfield.agent_runtime.v1 import agent_keys_pb2, nodes_pb2
from opsfield.common.v1.raw_body_pb2 import RawBody
from services.agent_runtime.agent_keys.handlers import AgentKeyHandlers
from services.agent_runtime.engines.engines import Engines
from services.agent_runtime.nodes.handlers import NodeHandlers
from services.agent_runtime.nodes.nodes import Nodes
from tests.callers import eventually

Json = dict[str, Any]
# Status and body of an answer; None: the connection is closed without one.
Answer = tuple[int, bytes] | None


@dataclass(frozen=True)
class Called:
    """A request that a node got. Header names in lower case."""

    path: str
    headers: dict[str, str]
    body: Any

    @property
    def lease(self) -> str:
        return self.headers["x-execution-id"]


def says(value: Any, status: int = 200) -> Answer:
    return status, json.dumps(value).encode()


ACKNOWLEDGED = says({"status": "processing"}, 202)


@dataclass
class FakeNode:
    """Answers each request as `answer` says; it may be a list, one for each request, the last for all that follow."""

    answer: Any = ACKNOWLEDGED
    calls: list[Called] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def runs(self) -> list[Called]:
        return [each for each in self.calls if not each.path.startswith("/_internal")]

    @property
    def cancelled(self) -> list[str]:
        """What it was told to stop."""
        return [each.path.split("/")[3] for each in self.calls if each.path.startswith("/_internal")]

    async def run(self, number: int = 1) -> Called:
        """The run of that number, once it came."""

        async def look() -> list[Called]:
            return self.runs[number - 1 : number]

        (found,) = await eventually(look)
        return found  # type: ignore[no-any-return]

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.calls.append(Called(head[0].split()[1], headers, json.loads(body or b"null")))
            answer = self._next()
            if callable(answer):
                answer = await answer()
            if answer is not None:
                status, data = answer
                writer.write(
                    b"HTTP/1.1 %d X\r\nlocation: /x\r\ncontent-length: %d\r\n\r\n" % (status, len(data)) + data
                )
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _next(self) -> Any:
        if self.calls[-1].path.startswith("/_internal"):
            return says({"cancelled": True})
        if not isinstance(self.answer, list):
            return self.answer
        return self.answer[min(len(self.runs), len(self.answer)) - 1]


@asynccontextmanager
async def a_node(answer: Any = ACKNOWLEDGED) -> AsyncIterator[FakeNode]:
    node = FakeNode(answer)
    server = await asyncio.start_server(node.talk, "127.0.0.1", 0, limit=4 * 1024 * 1024)
    node.port = server.sockets[0].getsockname()[1]
    try:
        yield node
    finally:
        server.close()


@dataclass
class Agents:
    """What agents and engineers of a workspace tell the service, as it comes from the gateway."""

    database: Database
    nodes: Nodes
    engines: Engines
    workspace: str
    key: str = ""

    async def new_key(self, **fields: Any) -> tuple[str, str]:
        """A key and its id; agents use it from now on."""
        request = agent_keys_pb2.CreateAgentKeyRequest(name="a key", **fields)
        made = await self._work(lambda work: self._keys.create_agent_key(request, work))
        self.key = made.key
        return made.key, made.agent_key.id

    async def revoke(self, key_id: str) -> None:
        request = agent_keys_pb2.RevokeAgentKeyRequest(id=key_id, reason="a test")
        await self._work(lambda work: self._keys.revoke_agent_key(request, work))

    async def register(self, node: FakeNode, *, instance: str = "one", key: str | None = None, **fields: Any) -> Json:
        body = {
            "id": "inventory",
            "base_url": node.url,
            "version": "1.0.0",
            "instance_id": instance,
            "reasoners": [{"id": "count", "output_schema": {"type": "object"}}, {"id": "free"}],
            "skills": [{"id": "double"}],
            **fields,
        }
        if not key and not self.key:
            await self.new_key()
        return await self._tell("register_node", nodes_pb2.RegisterNodeRequest(node=raw(body)), key)

    async def heartbeat(self, name: str = "inventory", *, instance: str = "one", key: str | None = None) -> Json:
        body = raw({"status": "ready", "instance_id": instance})
        return await self._tell("heartbeat_node", nodes_pb2.HeartbeatNodeRequest(node_id=name, heartbeat=body), key)

    async def shut_down(self, seconds: float) -> Json:
        body = raw({"reason": "signal", "timeout_seconds": seconds})
        return await self._tell("shut_down_node", nodes_pb2.ShutDownNodeRequest(node_id="inventory", notice=body))

    async def phase(self, phase: str) -> Json:
        request = nodes_pb2.UpdateNodeStatusRequest(node_id="inventory", status=raw({"phase": phase}))
        return await self._tell("update_node_status", request)

    async def report(self, lease: str, status: str = "succeeded", *, key: str | None = None, **fields: Any) -> Json:
        body = raw({"status": status, "execution_id": lease, **fields})
        return await self._tell(
            "report_execution", nodes_pb2.ReportExecutionRequest(execution_id=lease, report=body), key
        )

    @asynccontextmanager
    async def alive(self, *, instance: str = "one") -> AsyncIterator[None]:
        """Heartbeats for the length of the block."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(0.3)
                await self.heartbeat(instance=instance)

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _tell(self, name: str, request: Any, key: str | None = None) -> Json:
        request.api_key = self.key if key is None else key
        handler = getattr(NodeHandlers(self.nodes, self.engines), name)
        answer = await self._work(lambda work: handler(request, work))
        found: Json = json.loads(answer.data)
        return found

    @property
    def _keys(self) -> AgentKeyHandlers:
        return AgentKeyHandlers(self.nodes.leaving)

    async def _work(self, do: Callable[[UnitOfWork], Awaitable[Any]]) -> Any:
        call = Call("/Test", Principal("anonymous", workspace_id=self.workspace), "c-1")
        async with unit_of_work(self.database, call, service="agent-runtime") as work:
            return await do(work)


def raw(body: Any) -> RawBody:
    return RawBody(content_type="application/json", data=json.dumps(body).encode())
