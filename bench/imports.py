"""How many tickets a minute are imported, the whole way, and what memory that takes.

From the request at the gateway to the last row recorded: the file is read, its external ids are looked up, rows are
made and sent to ops, what became of them is recorded. Beside it, in the same run, the part of ops alone
(CreateResources by two callers). The memory is what the kernel counts as resident, the most of it in the first and in
the last tenth of the rows: what grows with them would show.
"""

import asyncio
import contextlib
import csv
import io
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench import bulk
from bench.figures import Figure
from bench.options import Options, quiet
from bench.processor_time import processor_seconds, told, tree
from devstack.stack import Stack

CLIENTS = 200
PART_BYTES = 8 * 1024 * 1024
AIM_MEGABYTES = 200
HEADER = ("Key", "Subject", "Description", "Customer", "Priority", "Tags")
FIELDS = ("subject", "description", "clientId", "priority", "tags")


class Bench:
    """One import, in a workspace of its own."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.workspace = f"imports-{uuid.uuid4().hex[:8]}"
        # Of the last import: the most megabytes of integrations in each tenth of the rows, and tickets a minute.
        self.megabytes = [0.0] * 11
        self.rate = 0.0
        # What each program spent on it, in a sentence.
        self.spent = ""
        headers = {
            "Authorization": f"Bearer {stack.token(('data_admin',), (self.workspace,))}",
            "x-workspace-id": self.workspace,
        }
        self._http = httpx.AsyncClient(base_url=f"{stack.base_url}/api/v1", headers=headers, timeout=60)

    async def run(self, rows: int) -> None:
        await self._import(
            "clients", _file(("Key", "Name"), ((f"C-{n}", f"Client {n}") for n in range(CLIENTS))), ("name",)
        )
        tickets = _file(HEADER, _tickets(rows))
        used, begun = processor_seconds(self._stack), time.perf_counter()
        ended = await self._import("tickets", tickets, FIELDS, rows)
        self.rate = rows / (time.perf_counter() - begun) * 60
        assert ended["rowsCreated"] == rows, ended
        self.spent = told(used, processor_seconds(self._stack), rows)

    async def close(self) -> None:
        await self._http.aclose()

    async def _import(self, kind: str, data: bytes, fields: tuple[str, ...], rows: int = 0) -> dict[str, Any]:
        columns = HEADER[1:] if len(fields) > 1 else ("Name",)
        mapping = [{"column": column, "field": field} for column, field in zip(columns, fields, strict=True)]
        body = {
            "kind": kind,
            "format": "csv",
            "uploadId": await self._upload(data),
            "mapping": mapping,
            "externalIdColumn": "Key",
        }
        job = await self._post("/imports", json=body)
        self.megabytes = [0.0] * 11
        while not job["isFinal"]:
            await asyncio.sleep(0.2)
            job = (await self._http.get(f"/jobs/{job['id']}")).raise_for_status().json()
            tenth = min(10, job["rowsDone"] * 10 // rows) if rows else 0
            self.megabytes[tenth] = max(self.megabytes[tenth], self._megabytes_now())
        return dict(job)

    async def _upload(self, data: bytes) -> str:
        parts = [data[at : at + PART_BYTES] for at in range(0, len(data), PART_BYTES)]
        upload = await self._post("/uploads", content=parts[0], headers={"content-type": "text/csv"})
        for part in parts[1:]:
            path = f"/uploads/{upload['id']}/append?offset={upload['size']}"
            upload = await self._post(path, content=part, headers={"content-type": "text/csv"})
        return str(upload["id"])

    async def _post(self, path: str, headers: dict[str, str] | None = None, **options: Any) -> dict[str, Any]:
        keyed = {**(headers or {}), "idempotency-key": uuid.uuid4().hex}
        answer = await self._http.post(path, headers=keyed, **options)
        return dict(answer.raise_for_status().json())

    def _megabytes_now(self) -> float:
        with contextlib.suppress(psutil.NoSuchProcess):
            return sum(each.memory_info().rss for each in tree(self._stack.pid("integrations"))) / 1e6
        return 0.0


def _tickets(rows: int) -> Iterator[tuple[str, ...]]:
    for n in range(rows):
        yield (
            f"T-{n}",
            f"Printer {n} does not print, order {n * 7919 % 1000003}",
            "It did yesterday. Since this morning the queue is stuck and a red light blinks.",
            f"C-{n % CLIENTS}",
            "high" if n % 3 else "low",
            "imported;printer",
        )


def _file(header: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows((header, *rows))
    return out.getvalue().encode()


async def figures(options: Options) -> list[Figure]:
    rows = 100_000 if options.full else 20_000
    services = ("platform", "ops", "integrations")
    whole, of_ops, grown = list[float](), list[float](), list[float]()
    peaks: list[float] = []
    with tempfile.TemporaryDirectory(prefix="opsfield-bench-") as folder:
        async with Stack(Path(folder), services=services, extra_env=quiet("ops", "integrations")) as stack:
            await _once(stack, 2_000)
            for _ in range(options.rounds):
                bench = await _once(stack, rows)
                whole.append(bench.rate)
                options.report(f"{rows:,} tickets: {bench.spent}")
                peaks.append(max(bench.megabytes))
                grown.append(bench.megabytes[9] / bench.megabytes[1])
                alone = bulk.Bench(stack)
                await alone.prepare(with_sla=False)
                of_ops.append(await alone.run() * 60)
                await alone.close()
    return [
        Figure("imports", f"{rows:,} tickets", "rows/min", whole, "ops alone", of_ops),
        Figure("imports", "memory of integrations, at most", "MB", peaks, less_is_better=True, aim=AIM_MEGABYTES),
        Figure("imports", "memory, ninth tenth beside the second", "times", grown, less_is_better=True, aim=1.1),
    ]


async def _once(stack: Stack, rows: int) -> Bench:
    bench = Bench(stack)
    await bench.run(rows)
    await bench.close()
    return bench
