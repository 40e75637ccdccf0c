"""Loads the demo workspace, area by area."""

from datetime import datetime

from kit import clock
from kit.database import Database
from services.ops.demo import billing, changes, desk, directory, knowledge, monitoring
from services.ops.demo.content_changes import CAUSED_AN_INCIDENT
from services.ops.demo.loader import DemoLoader, Facts, Story

WORKSPACE = "demo"
_BEGINNING, _END = "beginning", "end"


async def load(database: Database, workspace_id: str = WORKSPACE) -> None:
    """Load what is not there yet; a line of progress for each area on stdout. What was begun and interrupted goes on
    where it stopped, with the same times. A workspace in which somebody else has begun is left alone."""
    loader = DemoLoader(database, workspace_id)
    has_begun = await loader.has_told(_BEGINNING)
    is_used = (await loader.counts("clients"))["clients"] > 0
    if await loader.has_told(_END) or (is_used and not has_begun):
        print(f"The workspace {workspace_id} is there already; nothing is loaded.", flush=True)
        return
    now = await _beginning(loader)
    clients = await directory.load(loader, now)
    await _report(loader, "directory", "clients", "sites", "contacts", "assets")
    runbooks = await knowledge.load_runbooks(loader, now)
    await knowledge.load_articles(loader, clients, now)
    await _report(loader, "knowledge", "runbooks", "knowledge-articles")
    policies = await desk.load_policies(loader, clients, now)
    tickets = await desk.load_tickets(loader, clients, runbooks, now)
    await _report(loader, "service desk", "sla-policies", "tickets", "ticket-comments", "time-entries")
    change_ids = await changes.load(loader, clients, runbooks, now)
    await _report(loader, "change", "changes")
    alerts = await monitoring.load_alerts(loader, clients, [ticket for ticket, _ in tickets], now)
    await monitoring.load_incidents(loader, clients, alerts, tickets, change_ids[CAUSED_AN_INCIDENT], now)
    await _report(loader, "monitoring", "alerts", "incidents")
    await billing.load(loader, clients, policies, tickets, now)
    await _report(loader, "billing", "contracts", "quotes", "invoices", "payments")
    await loader.tell(_END, _nothing)


async def _beginning(loader: DemoLoader) -> datetime:
    """The moment that all times are counted from: when it was first begun to load."""

    async def story(_story: Story) -> Facts:
        return {"now": clock.now().isoformat()}

    return datetime.fromisoformat((await loader.tell(_BEGINNING, story))["now"])


async def _nothing(_story: Story) -> Facts:
    return {}


async def _report(loader: DemoLoader, area: str, *kinds: str) -> None:
    counts = await loader.counts(*kinds)
    print(f"{area}: {', '.join(f'{count} {kind}' for kind, count in counts.items())}", flush=True)
