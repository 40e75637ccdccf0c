"""`python -m bench.imports`: how many tickets a minute are imported, the whole way, and what memory that takes.

From the request at the gateway to the last row recorded: the file is read, its external ids are looked up, rows are
made and sent to ops, what became of them is recorded. Beside it, in the same run, the part of ops alone
(CreateResources by two callers) and bare inserts of such rows into the same table. The memory is what the kernel counts
as resident, the most of it in each tenth of the rows: what grows with them would show.
"""

import argparse
import asyncio
import contextlib
import csv
import io
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import uvloop

from bench import bulk
from bench.processor_time import processor_seconds, told
from devstack.stack import Stack
from kit.bootstrap import with_database

DATA = Path(".devstack-imports-bench")
CLIENTS = 200
PART_BYTES = 8 * 1024 * 1024
AIM_PER_MINUTE, AIM_MEGABYTES = 20_000, 200
HEADER = ("Key", "Subject", "Description", "Customer", "Priority", "Tags")
FIELDS = ("subject", "description", "clientId", "priority", "tags")


class Bench:
    """One import, in a workspace of its own."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.workspace = f"imports-{uuid.uuid4().hex[:8]}"
        headers = {
            "Authorization": f"Bearer {stack.token(('data_admin',), (self.workspace,))}",
            "x-workspace-id": self.workspace,
        }
        self._http = httpx.AsyncClient(base_url=f"{stack.base_url}/api/v1", headers=headers, timeout=60)

    async def run(self, rows: int) -> float:
        """Tickets a minute; prints memory and processor time."""
        await self._import(
            "clients", _file(("Key", "Name"), ((f"C-{n}", f"Client {n}") for n in range(CLIENTS))), ("name",)
        )
        tickets = _file(HEADER, _tickets(rows))
        used, begun = processor_seconds(self._stack), time.perf_counter()
        ended = await self._import("tickets", tickets, FIELDS, rows)
        rate = rows / (time.perf_counter() - begun) * 60
        assert ended["rowsCreated"] == rows, ended
        print(told(used, processor_seconds(self._stack), rows), flush=True)
        return rate

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
        peaks: dict[str, list[float]] = {"integrations": [0.0] * 11, "ops": [0.0] * 11}
        while not job["isFinal"]:
            await asyncio.sleep(0.2)
            job = (await self._http.get(f"/jobs/{job['id']}")).raise_for_status().json()
            tenth = min(10, job["rowsDone"] * 10 // rows) if rows else 0
            for name, of_tenths in peaks.items():
                of_tenths[tenth] = max(of_tenths[tenth], self._megabytes(name))
        if rows:
            for name, of_tenths in peaks.items():
                print(f"{name:<14} {max(of_tenths):5.0f} MB at most; by tenths {[round(each) for each in of_tenths]}")
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

    def _megabytes(self, name: str) -> float:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._stack.pid(name))
            return sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e6
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


async def _main(arguments: argparse.Namespace) -> None:
    shutil.rmtree(DATA, ignore_errors=True)
    quiet: dict[str, dict[str, str]] = {name: {"LOG_LEVEL": "warning"} for name in ("gateway", "ops", "integrations")}
    quiet["gateway"]["RATE_LIMIT_PER_MINUTE"] = "0"
    async with Stack(DATA, services=("platform", "ops", "integrations"), extra_env=quiet) as stack:
        for rows in (min(arguments.rows, 2_000), arguments.rows):
            bench = Bench(stack)
            whole = await bench.run(rows)
            await bench.close()
        alone = bulk.Bench(stack)
        await alone.prepare(with_sla=False)
        of_ops = await alone.run() * 60
        async with asyncpg.create_pool(with_database(stack.admin_url, "ops"), min_size=1, max_size=2) as pool:
            bare = await alone.floor(pool) * 60
        await alone.close()
    print(f"{arguments.rows:,} tickets: {whole:,.0f} a minute, aim {AIM_PER_MINUTE:,}; memory aim {AIM_MEGABYTES} MB")
    for name, rate in (("ops alone", of_ops), ("bare inserts", bare)):
        print(f"{name:<14} {rate:,.0f} a minute; the whole way has {whole / rate:.2f} of it")
    shutil.rmtree(DATA, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.imports", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000, help="tickets to import")
    uvloop.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
