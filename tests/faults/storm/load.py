"""The load: people, agents and machines of several workspaces at work. Whatever is asked is asked again, under the same
key, until there is an answer; what was answered goes into the books."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Self

import httpx

from tests.agents import Agent, Fleet, metric, new_enrollment_token
from tests.imports import CLIENTS, clients_file
from tests.platform import Api, Platform, new_key

# Answers that say: not now.
_LATER = {429, 500, 502, 503, 504}
# Longer than anything stays away.
_PATIENCE = 240.0


class Books:
    """What was answered as done, by workspace."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.ids: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.paid: dict[str, Decimal] = defaultdict(Decimal)
        self.events: Counter[str] = Counter()
        self.imports: dict[str, list[str]] = defaultdict(list)
        # Of some requests what was sent and answered: replays must say the same.
        self.answered: list[tuple[Api, str, str, Any, bytes]] = []
        self.requests = 0
        self.retries = 0
        self.wrong: list[str] = []

    def note(self, workspace: str, kind: str, resource_id: str) -> None:
        with self._lock:
            self.ids[workspace][kind].add(resource_id)

    def count(self, *, requests: int = 0, retries: int = 0) -> None:
        with self._lock:
            self.requests += requests
            self.retries += retries


class Pace:
    """How many requests a second all of a load make together; None: as many as they can."""

    def __init__(self) -> None:
        self.per_second: float | None = None
        self._lock = threading.Lock()
        self._next = 0.0

    def halve(self, books: Books, *, seconds: float) -> float:
        """As fast as everybody can for so many seconds, and half as fast from then on: what waits then, waits because
        something failed. The full rate, in requests a second, is that of the latter half."""
        time.sleep(seconds / 2)
        before, began = books.requests, time.monotonic()
        time.sleep(seconds / 2)
        full = (books.requests - before) / (time.monotonic() - began)
        self.per_second = full / 2
        return full

    def wait(self) -> None:
        """Until it is this request's turn."""
        if self.per_second is None:
            return
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + 1 / self.per_second
        time.sleep(max(0.0, turn - time.monotonic()))


class Person:
    """One who does not give up."""

    def __init__(self, platform: Platform, books: Books, pace: Pace, workspace: str, *roles: str) -> None:
        self.api = platform.api(roles, workspace=workspace)
        self.workspace = workspace
        self._books = books
        self._pace = pace

    def post(self, path: str, body: Any, *, remember: bool = False) -> dict[str, Any] | None:
        """The answer; None when it was refused for good, which is noted as wrong."""
        key = new_key()
        answer = self._certain(lambda: self.api.post(path, json=body, key=key))
        if not answer.is_success:
            self._books.wrong.append(f"POST {path} {answer.status_code}: {answer.text[:300]}")
            return None
        if remember:
            self._books.answered.append((self.api, key, path, body, answer.content))
        return dict(answer.json()) if answer.content else {}

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self._certain(lambda: self.api.get(path, params=params))
        assert answer.is_success, answer.text
        return dict(answer.json())

    def upload(self, data: bytes) -> str:
        key, headers = new_key(), {"content-type": "text/csv"}
        answer = self._certain(lambda: self.api.post("/uploads", content=data, headers=headers, key=key))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def _certain(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        self._pace.wait()
        return certain(ask, self._books)


def certain(ask: Callable[[], httpx.Response], books: Books) -> httpx.Response:
    """The first answer that is not "later"."""
    deadline, pause, turn = time.monotonic() + _PATIENCE, 0.05, 0
    while True:
        try:
            answer = ask()
            # A key that is in flight: the first try is still at work.
            in_flight = answer.status_code == 409 and answer.json()["code"] == "idempotency-key-in-flight"
            if answer.status_code == 500:
                books.wrong.append(f"{answer.request.method} {answer.request.url.path}: {answer.text[:300]}")
            if answer.status_code not in _LATER and not in_flight:
                books.count(requests=1, retries=turn)
                return answer
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "there is no answer any more"
        time.sleep(pause)
        pause, turn = min(pause * 2, 1.0), turn + 1


class Load:
    """Everybody at work in one workspace, each on a thread of their own, until `over`."""

    def __init__(
        self,
        platform: Platform,
        fleet: Fleet,
        books: Books,
        workspace: str,
        over: threading.Event,
        pace: Pace,
    ) -> None:
        self._books = books
        self._over = over
        self._pace = pace
        self.workspace = workspace
        self.engineer = Person(platform, books, self._pace, workspace, "msp_admin", "automation_operator")
        client = self.engineer.post("/clients", {"name": "Acme"})
        assert client
        self.client = client["id"]
        books.note(workspace, "clients", self.client)
        # Nothing is heard of its machines any more while the books are checked: no alert that nobody has raised.
        self.engineer.post("/edge-policies", {"scope": "workspace", "offlineAlerts": False})
        self._agent = Agent(fleet, new_enrollment_token(self.engineer.api, self.client))
        assert self._agent.bearer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.engineer.api.__exit__(*exception)

    def workers(self) -> tuple[Callable[[], None], ...]:
        return (self._desk, self._alerts, self._billing, self._agents, self._executions, self._decisions, self._imports)

    def _desk(self) -> None:
        """Tickets, changed and commented."""
        person = self.engineer
        while not self._over.is_set():
            ticket = person.post("/tickets", {"subject": "Under fire", "clientId": self.client}, remember=True)
            if ticket:
                self._books.note(self.workspace, "tickets", ticket["id"])
                person.post(f"/tickets/{ticket['id']}/comments", {"body": "Looking into it."})

    def _alerts(self) -> None:
        """Alerts, acknowledged and resolved."""
        while not self._over.is_set():
            body = {"title": "Disk full", "severity": "high", "source": "storm", "fingerprint": new_key()}
            if alert := self.engineer.post("/alerts", body):
                self._books.note(self.workspace, "alerts", alert["id"])
                self.engineer.post(f"/ops/alerts/{alert['id']}/acknowledge", {})
                self.engineer.post(f"/ops/alerts/{alert['id']}/resolve", {})
            time.sleep(0.05)

    def _billing(self) -> None:
        """Invoices, issued and paid in two parts."""
        while not self._over.is_set():
            line = {"description": "Support", "quantity": "1.5", "unitPrice": "99.99", "taxPercent": "20"}
            invoice = self.engineer.post("/invoices", {"clientId": self.client, "currency": "EUR", "lines": [line]})
            if not invoice:
                continue
            self._books.note(self.workspace, "invoices", invoice["id"])
            issued = self.engineer.post(f"/ops/invoices/{invoice['id']}/issue", {})
            if not issued:
                continue
            for part in (Decimal("50.00"), Decimal(issued["total"]) - Decimal("50.00")):
                body = {"invoiceId": invoice["id"], "amount": str(part), "status": "succeeded"}
                if paid := self.engineer.post("/payments", body):
                    self._books.note(self.workspace, "payments", paid["id"])
                    self._books.paid[invoice["id"]] += part

    def _agents(self) -> None:
        """A machine that tells how it is."""
        while not self._over.is_set():
            key, events = new_key(), [metric(value=number) for number in range(20)]
            self._pace.wait()
            answer = certain(lambda: self._agent.send(*events, key=key), self._books)  # noqa: B023 - called at once
            assert answer.is_success, answer.text
            self._books.events[self.workspace] += answer.json()["accepted"]
            time.sleep(0.05)

    def _executions(self) -> None:
        """AI agents at work on a ticket."""
        ticket = self.engineer.post("/tickets", {"subject": "VPN is down for everybody", "clientId": self.client})
        assert ticket
        self._books.note(self.workspace, "tickets", ticket["id"])
        while not self._over.is_set():
            if begun := self.engineer.post("/execute/triage.classify", {"input": {"ticketId": ticket["id"]}}):
                self._books.note(self.workspace, "executions", begun["id"])
            time.sleep(0.3)

    def _decisions(self) -> None:
        """Somebody who approves what they propose."""
        while not self._over.is_set():
            self.decide()
            time.sleep(0.3)

    def decide(self) -> None:
        """Approve what waits."""
        for each in self.engineer.get("/workflow-executions", status="approval_required", limit=50)["data"]:
            decision = {"verdict": "approved", "proposalsDigest": each["proposalsDigest"], "reason": "Looks right."}
            self.engineer.post(f"/workflow-executions/{each['id']}/decision", decision)
            self._books.note(self.workspace, "decisions", each["id"])

    def _imports(self) -> None:
        """A file of clients, again and again; its rows change what the first one made."""
        while not self._over.is_set():
            body = {
                "kind": "clients",
                "format": "csv",
                "uploadId": self.engineer.upload(clients_file(700, 7)),
                "mapping": CLIENTS,
                "externalIdColumn": "Id",
            }
            if job := self.engineer.post("/imports", body):
                self._books.imports[self.workspace].append(job["id"])
            self._over.wait(15)
