"""A model's endpoint over real HTTP, which says what the test wants it to say."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

Json = dict[str, Any]


@dataclass
class Endpoint:
    """`says`: one answer after another, the last one for ever: a text is a completion's content, a number a status,
    bytes are all of it."""

    says: Sequence[str | int | bytes | Json]
    url: str = ""
    asked: list[Json] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert (scope["method"], scope["path"]) == ("POST", "/v1/chat/completions")
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        self.keys.append(dict(scope["headers"]).get(b"authorization", b"").decode())
        said = self.says[min(len(self.asked), len(self.says) - 1)]
        self.asked.append(json.loads(body))
        refused: Json = {"error": {"message": "no"}}
        status, answer = (said, refused) if isinstance(said, int) else (200, _completion(said))
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        await send({"type": "http.response.body", "body": body})


def _completion(said: str | bytes | Json) -> bytes | Json:
    if isinstance(said, dict | bytes):
        return said
    message = {"role": "assistant", "content": said}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"id": "c-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


@asynccontextmanager
async def serving(*says: str | int | bytes | Json) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(says)
    config = uvicorn.Config(endpoint, host="127.0.0.1", port=0, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    endpoint.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    try:
        yield endpoint
    finally:
        server.should_exit = True
        await task
