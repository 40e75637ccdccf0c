"""What billing reads."""

import asyncio
from typing import Any

from services.agent_runtime.reasoners.reading import now, one, rows
from services.agent_runtime.reasoners.reasoner import OpsReader

Row = dict[str, Any]

CLIENT = ("name", "currency", "hourlyRate")
CONTRACT = (
    "number", "type", "status", "startsOn", "endsOn", "terminatedAt", "billingPeriod", "currency", "includedMinutes",
    "hourlyRate", "afterHoursRate", "slaPolicyId", "lines",
)  # fmt: skip
TICKET = ("number", "subject")
ENTRY = ("ticketId", "startedAt", "billable", "billableMinutes", "invoicedAt")
POLICY = ("calendar",)
DRAFT = ("lines",)
INVOICE = ("number", "clientId", "status", "currency", "balance", "dueOn", "issuedOn")
DEBTOR = ("name", "email", "phone")
CONTACT = ("clientId", "name", "email", "phone", "mobile", "isBilling", "isPrimary")
TASK = ("clientId", "status", "tags")
_MOST_ENTRIES = 800
_MOST_INVOICED = 400
_MOST_TICKETS = 400
_MOST_POLICIES = 100


async def for_draft_invoice(ops: OpsReader, input_: Row) -> Row:
    """The client with its contracts, and its billable work that no invoice has, the latest first; where contracts
    include minutes, also what was invoiced, which used them up. Raises NotFound when there is no such client."""
    client = await one(ops, "clients", input_["clientId"], CLIENT)
    contracts, tickets, waiting, drafts = await asyncio.gather(
        rows(ops, "contracts", CONTRACT, most=100, clientId=client["id"]),
        rows(ops, "tickets", TICKET, most=_MOST_TICKETS, clientId=client["id"], sortBy="updatedAt"),
        _entries(ops, client, most=_MOST_ENTRIES, invoiced=False),
        rows(ops, "invoices", DRAFT, most=100, clientId=client["id"], status="draft"),
    )
    includes = any(each["includedMinutes"] for each in contracts)
    invoiced = await _entries(ops, client, most=_MOST_INVOICED, invoiced=True) if includes else []
    since = _since(waiting, _MOST_ENTRIES)
    return {
        "now": now(),
        "client": client,
        "contracts": [{**each, "lines": _taxes(each["lines"])} for each in contracts],
        "calendars": await _calendars(ops, contracts),
        "tickets": tickets,
        # One that was invoiced meanwhile is there once.
        "entries": list({each["id"]: each for each in (*waiting, *invoiced)}.values()),
        "drafts": [{**each, "lines": [_entries_of(line) for line in each["lines"] or ()]} for each in drafts],
        "complete": since is None or since < input_.get("from", ""),
        "readSince": since,
        "invoicedSince": _since(invoiced, _MOST_INVOICED),
    }


async def for_dunning(ops: OpsReader, input_: Row) -> Row:
    """Invoices that may be past their day, who owes them, whom to call, and what the bookkeeper has on the table."""
    of_client = {"clientId": input_["clientId"]} if "clientId" in input_ else {}
    by_day = {"sortBy": "dueOn", "sortOrder": "asc", **of_client}
    overdue, partly, issued, clients, billing, primary, tasks = await asyncio.gather(
        rows(ops, "invoices", INVOICE, most=400, status="overdue", **by_day),
        rows(ops, "invoices", INVOICE, status="partially_paid", **by_day),
        # Those that the daily sweep has not come to yet.
        rows(ops, "invoices", INVOICE, most=100, status="issued", **by_day),
        rows(ops, "clients", DEBTOR, most=400, sortBy="name", sortOrder="asc"),
        rows(ops, "contacts", CONTACT, most=400, isBilling=True, status="active", **of_client),
        rows(ops, "contacts", CONTACT, most=300, isPrimary=True, status="active", **of_client),
        rows(ops, "tickets", TASK, category="Billing", **of_client),
    )
    return {
        "now": now(),
        "invoices": list({each["id"]: each for each in (*overdue, *partly, *issued)}.values()),
        "clients": clients,
        "contacts": list({each["id"]: each for each in (*billing, *primary)}.values()),
        "tasks": tasks,
    }


async def _entries(ops: OpsReader, client: Row, *, most: int, invoiced: bool) -> list[Row]:
    """The client's billable work, the latest first."""
    whose = {"clientId": client["id"], "billable": True, "invoiced": invoiced}
    return await rows(ops, "time-entries", ENTRY, most=most, sortBy="startedAt", **whose)


def _since(entries: list[Row], most: int) -> str | None:
    """The day from which work was read; None: all was."""
    return min(str(each["startedAt"])[:10] for each in entries) if len(entries) >= most else None


async def _calendars(ops: OpsReader, contracts: list[Row]) -> dict[str, Row]:
    """Business hours, by SLA policy, of the contracts to which they matter."""
    wanted = {each["slaPolicyId"] for each in contracts if each["afterHoursRate"] and each["slaPolicyId"]}
    if not wanted:
        return {}
    policies = await rows(ops, "sla-policies", POLICY, most=_MOST_POLICIES)
    return {each["id"]: each["calendar"] for each in policies if each["id"] in wanted and each["calendar"]}


def _taxes(lines: list[Row] | None) -> list[Row]:
    return [{"taxPercent": line.get("taxPercent")} for line in lines or ()]


def _entries_of(line: Row) -> Row:
    return {"timeEntryIds": line.get("timeEntryIds") or []}
