"""The demo workspace: complete, loaded once, and finished after an interruption."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from devstack.stack import Stack
from kit import clock
from kit.database import Database
from services.ops.billing.contracts import rules as contract_rules
from services.ops.billing.invoices import rules as invoice_rules
from services.ops.billing.payments import rules as payment_rules
from services.ops.billing.quotes import rules as quote_rules
from services.ops.change.changes import rules as change_rules
from services.ops.demo.content_monitoring import ALERTS, TICKETS_MADE, alerts
from services.ops.demo.content_tickets import TICKETS, tickets
from services.ops.demo.load import load
from services.ops.demo.loader import DemoLoader
from services.ops.directory.assets import rules as asset_rules
from services.ops.directory.clients import rules as client_rules
from services.ops.directory.contacts import rules as contact_rules
from services.ops.knowledge.articles import rules as article_rules
from services.ops.knowledge.runbooks import rules as runbook_rules
from services.ops.monitoring.alerts import rules as alert_rules
from services.ops.service_desk.incidents import rules as incident_rules
from services.ops.service_desk.tickets import rules as ticket_rules

# How many there are whatever the day; of the others the day decides.
COUNTS = {
    "clients": 20,
    "sites": 33,
    "contacts": 63,
    "assets": 149,
    "runbooks": 12,
    "knowledge-articles": 12,
    "sla-policies": 3,
    "changes": 12,
    "tickets": TICKETS + TICKETS_MADE,
    "incidents": 6,
    "alerts": ALERTS,
    "contracts": 21,
    "quotes": 16,
}
ABOUT = {
    "ticket-comments": (600, 1_000),
    "time-entries": (140, 240),
    "invoices": (110, 130),
    "payments": (85, 130),
}
LIFECYCLES = {
    "clients": client_rules.LIFECYCLE,
    "contacts": contact_rules.LIFECYCLE,
    "runbooks": runbook_rules.LIFECYCLE,
    "knowledge_articles": article_rules.LIFECYCLE,
    "changes": change_rules.LIFECYCLE,
    "tickets": ticket_rules.LIFECYCLE,
    "incidents": incident_rules.LIFECYCLE,
    "alerts": alert_rules.LIFECYCLE,
    "contracts": contract_rules.LIFECYCLE,
    "quotes": quote_rules.LIFECYCLE,
    "invoices": invoice_rules.LIFECYCLE,
    "payments": payment_rules.LIFECYCLE,
}
# More than fits into a moment: a Monday, a weekend, both ends of months and of a year, a leap day.
MOMENTS = (
    datetime(2026, 6, 1, 0, 0, 30, tzinfo=UTC),
    datetime(2026, 2, 28, 23, 59, tzinfo=UTC),
    datetime(2024, 2, 29, 12, tzinfo=UTC),
    datetime(2026, 12, 31, 18, tzinfo=UTC),
    datetime(2027, 1, 1, 3, tzinfo=UTC),
    datetime(2026, 8, 16, 9, 30, tzinfo=UTC),
)


class Loaded:
    """A workspace that was loaded until it was killed, and then again; and one that was loaded undisturbed, with the
    same beginning."""

    interrupted = "demo-interrupted"
    undisturbed = "demo-undisturbed"
    # When the first was killed.
    at_death: dict[str, int]


@pytest.fixture(scope="module")
async def demo_database(stack: Stack) -> AsyncIterator[Database]:
    database = await Database.connect(stack.database_url("ops"), size=1)
    yield database
    await database.close()


@pytest.fixture(scope="module")
async def loaded(stack: Stack, demo_database: Database) -> Loaded:
    loaded = Loaded()
    process = await _start(stack, loaded.interrupted)
    assert process.stdout is not None
    while not (await process.stdout.readline()).startswith(b"knowledge"):
        assert process.returncode is None
    await asyncio.sleep(0.5)
    process.kill()
    await process.wait()
    loaded.at_death = await DemoLoader(demo_database, loaded.interrupted).counts()
    process = await _start(stack, loaded.interrupted)
    await process.communicate()
    assert process.returncode == 0
    with clock.at(await _beginning(demo_database, loaded.interrupted)):
        await load(demo_database, loaded.undisturbed)
    return loaded


async def _start(stack: Stack, workspace_id: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.ops.demo",
        workspace_id,
        env=stack.environment("ops"),
        stdout=asyncio.subprocess.PIPE,
    )


async def _beginning(database: Database, workspace_id: str) -> datetime:
    async def never(_story: Any) -> dict[str, Any]:
        raise AssertionError("it has begun")

    return datetime.fromisoformat((await DemoLoader(database, workspace_id).tell("beginning", never))["now"])


async def _states(admin: Any, workspace_id: str, table: str, column: str = "status") -> dict[str, int]:
    rows = await admin.fetch(
        f"SELECT {column}::text AS state, count(*) AS count FROM {table} WHERE workspace_id = $1 GROUP BY 1",
        workspace_id,
    )
    return {row["state"]: row["count"] for row in rows}


async def test_all_kinds_are_there(loaded: Loaded, demo_database: Database) -> None:
    counts = await DemoLoader(demo_database, loaded.undisturbed).counts()
    assert {kind: counts[kind] for kind in COUNTS} == COUNTS
    assert set(counts) == {*COUNTS, *ABOUT}
    for kind, (least, most) in ABOUT.items():
        assert least <= counts[kind] <= most, (kind, counts[kind])


@pytest.mark.parametrize("table", LIFECYCLES)
async def test_every_state_is_there(loaded: Loaded, admin: Any, table: str) -> None:
    assert set(await _states(admin, loaded.undisturbed, table)) == set(LIFECYCLES[table].moves)


async def test_assets_are_in_every_state_of_both_axes(loaded: Loaded, admin: Any) -> None:
    assert set(await _states(admin, loaded.undisturbed, "assets", "lifecycle")) == set(asset_rules.LIFECYCLE.moves)
    assert set(await _states(admin, loaded.undisturbed, "assets")) == {*asset_rules.CONNECTIVITY.moves, "retired"}


async def test_promises_are_kept_broken_and_paused(loaded: Loaded, admin: Any) -> None:
    states = await _states(admin, loaded.undisturbed, "tickets", "sla->'resolution'->>'state'")
    assert set(states) >= {"met", "breached", "paused"}
    assert states["met"] > TICKETS / 2
    answers = await _states(admin, loaded.undisturbed, "tickets", "sla->'first_response'->>'state'")
    assert answers["met"] > 3 * answers["breached"] > 0


async def test_invoices_add_up(loaded: Loaded, admin: Any) -> None:
    rows = await admin.fetch(
        """
        SELECT invoice.*, (
            SELECT coalesce(sum(amount - amount_refunded), 0) FROM payments
            WHERE invoice_id = invoice.id AND payments.workspace_id = $1 AND status IN ('succeeded', 'refunded')
        ) AS received
        FROM invoices AS invoice WHERE workspace_id = $1
        """,
        loaded.undisturbed,
    )
    assert {row["currency"] for row in rows} == {"GBP", "EUR", "NOK"}
    for currency in ("GBP", "EUR", "NOK"):
        owed = [row for row in rows if row["currency"] == currency and row["status"] != "void"]
        total, paid, balance = (sum(Decimal(row[name]) for row in owed) for name in ("total", "amount_paid", "balance"))
        assert total == paid + balance
        assert paid == sum(Decimal(row["received"]) for row in owed) > 0


async def test_work_is_billed(loaded: Loaded, admin: Any) -> None:
    rows = await admin.fetch(
        "SELECT billable_minutes, invoice_id FROM time_entries WHERE workspace_id = $1", loaded.undisturbed
    )
    assert len([row for row in rows if row["invoice_id"]]) > 10
    assert len([row for row in rows if row["billable_minutes"] and not row["invoice_id"]]) > 10


async def test_overdue_invoices_are_of_every_age(loaded: Loaded, admin: Any, demo_database: Database) -> None:
    today = (await _beginning(demo_database, loaded.undisturbed)).date()
    rows = await admin.fetch(
        "SELECT due_on FROM invoices WHERE workspace_id = $1 AND status = 'overdue'", loaded.undisturbed
    )
    assert {min((today - row["due_on"]).days // 30, 3) for row in rows} == {0, 1, 2, 3}


async def test_invoice_numbers_follow_their_dates(loaded: Loaded, admin: Any) -> None:
    rows = await admin.fetch(
        "SELECT number, issued_at FROM invoices WHERE workspace_id = $1 AND number IS NOT NULL ORDER BY number",
        loaded.undisturbed,
    )
    assert [row["number"] for row in rows] == [f"INV-{number:06d}" for number in range(1, len(rows) + 1)]
    assert [row["issued_at"] for row in rows] == sorted(row["issued_at"] for row in rows)


async def test_nothing_is_of_the_future(loaded: Loaded, admin: Any, demo_database: Database) -> None:
    now = await _beginning(demo_database, loaded.undisturbed)
    for table in (*LIFECYCLES, "assets", "ticket_comments", "time_entries"):
        latest = await admin.fetchval(
            f"SELECT max(created_at) FROM {table} WHERE workspace_id = $1", loaded.undisturbed
        )
        assert latest <= now, table
    # The sweep of the running service looks at tickets by today's clock.
    by_stories = "SELECT max(occurred_at) FROM audit_entries WHERE workspace_id = $1 AND correlation_id LIKE 'demo-%'"
    assert await admin.fetchval(by_stories, loaded.undisturbed) <= now


async def test_a_second_run_changes_nothing(loaded: Loaded, admin: Any, demo_database: Database, capsys: Any) -> None:
    loader = DemoLoader(demo_database, loaded.undisturbed)
    before = await loader.counts()
    await load(demo_database, loaded.undisturbed)
    assert "nothing is loaded" in capsys.readouterr().out
    # As if it had been killed just before the end: all is gone through again.
    await admin.execute("DELETE FROM idempotency_keys WHERE workspace_id = $1 AND key = 'demo-end'", loaded.undisturbed)
    entries = "SELECT count(*) FROM audit_entries WHERE workspace_id = $1 AND correlation_id LIKE 'demo-%'"
    audited = await admin.fetchval(entries, loaded.undisturbed)
    await load(demo_database, loaded.undisturbed)
    assert "nothing is loaded" not in capsys.readouterr().out
    assert await loader.counts() == before
    assert await admin.fetchval(entries, loaded.undisturbed) == audited


async def test_a_load_that_was_killed_ends_like_one_undisturbed(
    loaded: Loaded, admin: Any, demo_database: Database
) -> None:
    assert 0 < loaded.at_death["tickets"] < TICKETS
    assert loaded.at_death["invoices"] == 0
    counts = [
        await DemoLoader(demo_database, workspace).counts() for workspace in (loaded.interrupted, loaded.undisturbed)
    ]
    assert counts[0] == counts[1]
    for table in LIFECYCLES:
        assert await _states(admin, loaded.interrupted, table) == await _states(admin, loaded.undisturbed, table)


async def test_a_workspace_that_others_use_is_left_alone(
    ops: Any, workspace: str, demo_database: Database, capsys: Any
) -> None:
    await ops.create_client()
    await load(demo_database, workspace)
    assert "nothing is loaded" in capsys.readouterr().out
    assert (await DemoLoader(demo_database, workspace).counts("clients", "tickets")) == {"clients": 1, "tickets": 0}


@pytest.mark.parametrize("now", MOMENTS, ids=str)
def test_tickets_of_any_day_are_in_every_state(now: datetime) -> None:
    made = tickets(now)
    assert len(made) == TICKETS
    assert [each.born for each in made] == sorted(each.born for each in made)
    for each in made:
        assert timedelta(0) < now - each.born
        assert all(timedelta(0) <= event.later < now - each.born for event in each.events)
    moves = [[event.text for event in each.events if event.what == "move"] for each in made]
    assert {each[-1] if each else "new" for each in moves} == set(ticket_rules.LIFECYCLE.moves)


@pytest.mark.parametrize("now", MOMENTS, ids=str)
def test_alerts_of_any_day_are_different_ones(now: datetime) -> None:
    taken = [(each.client, each.alarm.asset, each.alarm.rule) for each in tickets(now) if each.alarm]
    others = alerts(set(taken))
    both = [*taken, *((each.client, each.asset, each.rule) for each in others)]
    assert len(set(both)) == len(both) == ALERTS - sum(each.recurs for each in others)
    assert {each.status for each in others} == set(alert_rules.LIFECYCLE.moves)
    assert sum(each.gets_ticket for each in others) == TICKETS_MADE
