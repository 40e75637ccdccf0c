"""What a client's person sees, beside what the provider's staff sees of the same: a client of 5,000 tickets among a
million of the workspace, and a hundred invoices and quotes. Latency of one request after the other."""

import time
import uuid
from contextlib import aclosing
from statistics import median
from typing import Any

import httpx

from bench import data
from bench.figures import Figure
from bench.options import Options, quiet
from devstack.stack import Stack
from kit.bootstrap import with_database

AIM = 1.3
_MONEY = 100
_REQUESTS = 60


class _Desk:
    """The provider's side."""

    def __init__(self, stack: Stack) -> None:
        token = stack.token(("ops_engineer", "billing"), (data.WORKSPACE,))
        headers = {"Authorization": f"Bearer {token}", "x-workspace-id": data.WORKSPACE}
        self.http = httpx.AsyncClient(base_url=f"{stack.base_url}/api/v1", headers=headers, timeout=60)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.http.post(path, json=body, headers={"idempotency-key": uuid.uuid4().hex})
        return dict(answer.raise_for_status().json())

    async def client(self) -> str:
        """One with many tickets."""
        answer = await self.http.get("/tickets", params={"limit": 1, "sortBy": "createdAt", "sortOrder": "asc"})
        return str(answer.raise_for_status().json()["data"][0]["clientId"])

    async def fill(self, client: str) -> None:
        """Issued invoices and sent quotes, as many as there should be."""
        line = {"description": "Support", "quantity": "1.5", "unitPrice": "99.99", "taxPercent": "20"}
        for kind, body, move in (
            ("invoices", {"currency": "EUR"}, "issue"),
            ("quotes", {"title": "Office", "currency": "EUR", "validUntil": "2099-12-31"}, "send"),
        ):
            answer = await self.http.get(f"/{kind}", params={"clientId": client, "limit": 1})
            for _ in range(answer.raise_for_status().json()["page"]["total"], _MONEY):
                made = await self.post(f"/{kind}", {"clientId": client, "lines": [line], **body})
                await self.post(f"/ops/{kind}/{made['id']}/{move}", {})

    async def person(self, client: str) -> str:
        """A bearer token of somebody of that client."""
        email = f"{uuid.uuid4().hex[:8]}@example.com"
        await self.post("/contacts", {"clientId": client, "name": "Kim", "email": email})
        invite = await self.post("/portal/invites", {"clientId": client, "email": email})
        session = await self.post("/portal/session/exchange", {"token": invite["token"]})
        return str(session["accessToken"])


async def figures(options: Options) -> list[Figure]:
    services = ("ops", "platform", "portal")
    async with Stack(options.data / "tickets", services=services, extra_env=quiet("ops", "portal")) as stack:
        await data.load(with_database(stack.admin_url, "ops"), options.report)
        desk = _Desk(stack)
        client = await desk.client()
        await desk.fill(client)
        headers = {"Authorization": f"Bearer {await desk.person(client)}", "x-workspace-id": data.WORKSPACE}
        async with (
            httpx.AsyncClient(base_url=desk.http.base_url, headers=headers, timeout=60) as person,
            aclosing(desk.http),
        ):
            return [
                await _beside(kind, person, desk.http, client, options.rounds)
                for kind in ("tickets", "invoices", "quotes")
            ]


async def _beside(kind: str, person: httpx.AsyncClient, staff: httpx.AsyncClient, client: str, rounds: int) -> Figure:
    theirs, ours = [], []
    for _ in range(rounds):
        theirs.append(await _milliseconds(person, f"/portal/{kind}", {"limit": 50}))
        ours.append(await _milliseconds(staff, f"/{kind}", {"limit": 50, "clientId": client}))
    return Figure("portal", f"GET /portal/{kind}", "ms", theirs, "staff's list", ours, less_is_better=True, aim=AIM)


async def _milliseconds(http: httpx.AsyncClient, path: str, params: dict[str, Any]) -> float:
    """The median of some requests."""
    found = []
    for _ in range(_REQUESTS):
        begun = time.perf_counter()
        (await http.get(path, params=params)).raise_for_status()
        found.append((time.perf_counter() - begun) * 1000)
    return median(found)
