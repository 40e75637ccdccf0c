"""An agent as its author writes it, with AgentField's own SDK. Run in .venv-agentfield, where nothing of ours is.

    python agentfield_agent.py <name> <port> <folder>

In the folder each run leaves its mark.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

from agentfield import Agent

name, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
# Server, key and callback address come from the environment, as in production.
app = Agent(node_id=name, version="1.2.0", enable_did=False, vc_enabled=False)


def mark(what: str) -> None:
    with (folder / what).open("a") as file:
        file.write(f"{time.time()}\n")


@app.reasoner()  # type: ignore[untyped-decorator, unused-ignore]
async def count(items: list[str]) -> dict[str, Any]:
    """Count what is there."""
    return {"count": len(items)}


@app.reasoner()  # type: ignore[untyped-decorator, unused-ignore]
async def listing(items: list[str]) -> list[str]:
    return sorted(items)


@app.reasoner()  # type: ignore[untyped-decorator, unused-ignore]
async def fail(why: str) -> dict[str, Any]:
    raise ValueError(why)


@app.reasoner()  # type: ignore[untyped-decorator, unused-ignore]
async def slow(what: str) -> dict[str, Any]:
    """Stays until the file `go` is there."""
    mark(what)
    try:
        while not (folder / "go").exists():
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        mark(f"{what}-cancelled")
        raise
    return {"done": what}


@app.reasoner()  # type: ignore[untyped-decorator, unused-ignore]
async def work(what: str, seconds: float) -> dict[str, Any]:
    mark("work")
    await asyncio.sleep(seconds)
    return {"done": what}


@app.reasoner()  # type: ignore[untyped-decorator, unused-ignore]
async def propose(ticket: str) -> dict[str, Any]:
    """What Opsfield's own reasoners can say, too."""
    proposal = {"action": "comment_ticket", "parameters": {"id": ticket, "body": "Seen."}, "summary": "Say so."}
    return {"opsfield": {"output": {"ticket": ticket}, "evidence": {"rule": 7}, "proposals": [proposal]}}


@app.skill()  # type: ignore[untyped-decorator, unused-ignore]
def double(number: int) -> dict[str, Any]:
    return {"double": number * 2}


app.run(host=os.environ.get("HOST", "127.0.0.1"), port=port, auto_port=False)
