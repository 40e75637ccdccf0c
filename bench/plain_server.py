"""Runs what the platform stands beside: a plain program of two worker processes, as the whole path has two."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from devstack.ports import free_ports

_START_SECONDS = 3.0


@asynccontextmanager
async def serving(app: str, database_url: str) -> AsyncIterator[str]:
    """The address at which the application (`bench.plain:app`) answers, over that database."""
    port = free_ports("127.0.0.1", ("plain",))["plain"]
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "uvicorn", app, "--port", str(port), "--workers", "2", "--no-access-log", "--log-level", "error"),
        env={**os.environ, "PLAIN_DATABASE_URL": database_url},
    )
    try:
        await asyncio.sleep(_START_SECONDS)
        yield f"127.0.0.1:{port}"
    finally:
        program.terminate()
        await program.wait()
