"""Loads the books: contracts, quotes, invoices and payments, day by day, so that numbers follow the dates.

It is one story, since the days depend on one another: what the calendar brings about is found by the billing sweep's
own steps, run for each day.
"""

import heapq
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any

from opsfield.ops.v1.contracts_pb2 import Contract
from services.ops.billing.contracts.recurring import invoice_due_periods
from services.ops.billing.contracts.store import due as due_contracts
from services.ops.billing.invoices.overdue import mark_overdue
from services.ops.billing.quotes.expiry import expire_due
from services.ops.demo.billing_invoices import CLERK, Invoices
from services.ops.demo.billing_quotes import Quotes
from services.ops.demo.content_billing import (
    BY_TIME,
    MONTHS,
    DemoContract,
    DemoInvoice,
    contracts,
    first_of,
    invoices,
    worked,
)
from services.ops.demo.content_clients import CLIENTS
from services.ops.demo.content_quotes import QUOTES
from services.ops.demo.content_tickets import DemoTicket
from services.ops.demo.loader import DemoLoader, Facts, Story

_DAY = timedelta(days=1)
_SWEEP = "sweep:billing"


async def load(
    loader: DemoLoader,
    clients: Sequence[Facts],
    policies: dict[str, str],
    tickets: Sequence[tuple[DemoTicket, Facts]],
    now: datetime,
) -> None:
    """All of the books, at once."""

    async def story(story: Story) -> Facts:
        await _Books(story, clients, policies, now).tell(tickets)
        return {}

    await loader.tell("books", story)


class _Books:
    """An agenda of what happens when; what happens may add to it. What lies in the future does not happen."""

    def __init__(self, story: Story, clients: Sequence[Facts], policies: dict[str, str], now: datetime) -> None:
        self._story = story
        self._clients = clients
        self._policies = policies
        self._now = now
        self._agenda: list[tuple[datetime, int, Callable[[datetime], Awaitable[None]]]] = []
        self._order = count()
        self._choose = random.Random(8_018)
        self._invoices = Invoices(story, self.plan, self._choose)
        self._quotes = Quotes(story, self.plan, self._invoices)
        self._contract_ids: list[str] = []
        # Contracts whose invoices somebody issues; those of this month wait.
        self._by_hand: set[str] = set()

    def plan(self, at: datetime, action: Callable[[datetime], Awaitable[None]]) -> None:
        """Let something happen, unless it is still to come."""
        if at < self._now:
            heapq.heappush(self._agenda, (at, next(self._order), action))

    async def tell(self, tickets: Sequence[tuple[DemoTicket, Facts]]) -> None:
        for contract in contracts():
            self._plan_contract(contract)
        for index, quote in enumerate(QUOTES):
            client = next(place for place, each in enumerate(CLIENTS) if each.short == quote.client)
            self._quotes.plan_quote(quote, index, client, self._clients[client], self._now)
        for invoice in invoices():
            client_id = self._clients[invoice.client]["client"]
            self.plan(self._now - invoice.age, self._invoices.selling(client_id, invoice))
        for short in BY_TIME:
            self._plan_work(short, tickets)
        day = first_of(self._now.date(), MONTHS + 1)
        while day <= self._now.date():
            # On a day that has just begun, the sweep has been already.
            self.plan(min(_morning(day), self._now - timedelta(seconds=1)), self._sweep)
            day += _DAY
        while self._agenda:
            at, _, action = heapq.heappop(self._agenda)
            await action(at)

    async def _sweep(self, at: datetime) -> None:
        """What the billing sweep does on a day."""
        today = at.date()
        async with self._story.step(_SWEEP, at=at, by=_SWEEP) as work:
            await mark_overdue(work, today)
            await expire_due(work, today)
            due = await due_contracts(work, today, 1_000)
        # In the order in which they were made: ids of the same instant have none.
        for contract_id in sorted(due, key=self._contract_ids.index):
            async with self._story.step(_SWEEP, at=at, by=_SWEEP) as work:
                made = await invoice_due_periods(work, contract_id, today)
            for invoice_id in made:
                self._follow(contract_id, invoice_id, at)

    def _follow(self, contract_id: str, invoice_id: str, at: datetime) -> None:
        if contract_id not in self._by_hand:
            self._invoices.plan_payment(invoice_id, at)
        elif at.date() < first_of(self._now.date(), 0):
            self.plan(at + 1.4 * _DAY, self._invoices.issuing(invoice_id))

    def _plan_work(self, short: str, tickets: Sequence[tuple[DemoTicket, Facts]]) -> None:
        """Bill the work of each month that is over, early in the next."""
        client = next(index for index, each in enumerate(CLIENTS) if each.short == short)
        work = [each for ticket, facts in tickets if ticket.client == client for each in facts["work"]]
        for months in range(1, MONTHS):
            month = first_of(self._now.date(), months).isoformat()[:7]
            done = [(minutes, entry_id) for day, minutes, entry_id in work if day.startswith(month)]
            if done:
                line = worked(
                    CLIENTS[client], month, sum(minutes for minutes, _ in done), [entry_id for _, entry_id in done]
                )
                at = _morning(first_of(self._now.date(), months - 1)) + 1.3 * _DAY
                sold = DemoInvoice(client, (line,), self._now - at, "paid")
                self.plan(at, self._invoices.selling(self._clients[client]["client"], sold))

    def _plan_contract(self, contract: DemoContract) -> None:
        today = self._now.date()
        start = first_of(today, max(contract.months, 0))
        # Signed some days before its first one.
        born = _morning(start) - 6 * _DAY if not contract.is_draft else self._now - 2 * _DAY
        client = CLIENTS[contract.client]
        ends_on = None if contract.ended is None else first_of(today, contract.ended - 1) - _DAY
        message = Contract(
            client_id=self._clients[contract.client]["client"],
            name=contract.name,
            type=contract.type,
            starts_on=(start if not contract.is_draft else first_of(today, -1)).isoformat(),
            ends_on=ends_on.isoformat() if ends_on else None,
            billing_period="QUARTERLY" if contract.type == "BLOCK_HOURS" else "MONTHLY",
            lines=contract.lines,
            hourly_rate=client.hourly_rate,
            included_minutes=contract.included_minutes,
            sla_policy_id=self._policies.get(client.short, self._policies[""]),
            notice_days=90,
            auto_issue=contract.auto_issue,
        )

        async def sign(at: datetime) -> None:
            made: Any = await self._story.create(message, at=at, by=CLERK)
            self._contract_ids.append(made.id)
            if not contract.auto_issue:
                self._by_hand.add(made.id)
            if not contract.is_draft:
                self.plan(_morning(start) - _DAY, self._moving(made.id, "active"))
            if contract.becomes:
                state, days = contract.becomes
                self.plan(self._now - days * _DAY, self._moving(made.id, state))

        self.plan(born, sign)

    def _moving(self, contract_id: str, state: str) -> Callable[[datetime], Awaitable[None]]:
        async def move(at: datetime) -> None:
            changes = Contract(status=state.upper())
            if state == "terminated":
                changes.termination_reason = "The shop was sold; the new owner has an IT department."
            await self._story.change(contract_id, changes, at=at, by=CLERK)

        return move


def _morning(day: date) -> datetime:
    return datetime.combine(day, time(2, 5), tzinfo=UTC)
