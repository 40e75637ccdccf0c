"""What triage reads."""

import asyncio
from typing import Any

from services.agent_runtime.reasoners.reading import now, one, rows
from services.agent_runtime.reasoners.reasoner import OpsReader

Row = dict[str, Any]

TICKET = (
    "number", "subject", "description", "clientId", "status", "priority", "category", "tier", "tags", "contactId",
    "siteId", "assetIds", "alertIds", "runbookIds", "escalations",
)  # fmt: skip
SOLVED = (
    "number", "subject", "description", "resolution", "clientId", "category", "priority", "tier", "resolvedAt",
)  # fmt: skip
CONTACT = ("name", "isImportant", "siteId")
ASSET = ("name", "type", "siteId", "clientId")
ALERT = (
    "source", "rule", "severity", "title", "assetId", "clientId", "status", "firstSeenAt", "lastSeenAt", "ticketId",
)  # fmt: skip
INCIDENT = ("number", "title", "status", "alertIds")
RUNBOOK = ("category", "tags", "requiredRole", "published")
_STANDING = ("open", "investigating", "identified", "monitoring")
# How many clients' assets are read, and how many of each; those with the most alerts.
_CLIENTS_WITH_ASSETS = 4


async def for_classify(ops: OpsReader, input_: Row) -> Row:
    """The ticket, who and what it is about, and solved tickets of the workspace, those of its client first. Raises
    NotFound when there is no such ticket."""
    ticket = await one(ops, "tickets", input_["ticketId"], TICKET)
    client = ticket["clientId"]
    contacts, assets, alerts, *solved = await asyncio.gather(
        rows(ops, "contacts", CONTACT, clientId=client, status="active"),
        rows(ops, "assets", ASSET, clientId=client),
        rows(ops, "alerts", ALERT, most=20, ticketId=ticket["id"]),
        rows(ops, "tickets", SOLVED, clientId=client, status="closed", sortBy="resolvedAt"),
        rows(ops, "tickets", SOLVED, clientId=client, status="resolved", sortBy="resolvedAt"),
        rows(ops, "tickets", SOLVED, most=400, status="resolved", sortBy="resolvedAt"),
        rows(ops, "tickets", SOLVED, most=600, status="closed", sortBy="resolvedAt"),
    )
    known = {each["id"]: each for found in solved for each in found}
    return {
        "now": now(),
        "ticket": ticket,
        "contact": next((each for each in contacts if each["id"] == ticket["contactId"]), None),
        "contacts": contacts,
        "assets": assets,
        "alerts": alerts,
        "solved": list(known.values()),
    }


async def for_correlate(ops: OpsReader, input_: Row) -> Row:
    """The alerts that are not over, incidents that are not over, and where the assets are of the clients that have the
    most alerts."""
    del input_
    firing, acknowledged, clients = await asyncio.gather(
        rows(ops, "alerts", ALERT, most=400, status="firing", sortBy="firstSeenAt"),
        rows(ops, "alerts", ALERT, status="acknowledged", sortBy="firstSeenAt"),
        rows(ops, "clients", ("name",)),
    )
    alerts = list({each["id"]: each for each in (*firing, *acknowledged)}.values())
    assets = await asyncio.gather(
        *(rows(ops, "assets", ASSET, clientId=client) for client in _most_alarmed(alerts)),
    )
    incidents = await asyncio.gather(*(rows(ops, "incidents", INCIDENT, most=50, status=each) for each in _STANDING))
    return {
        "now": now(),
        "alerts": alerts,
        "clients": clients,
        "assets": [each for found in assets for each in found],
        "incidents": [each for found in incidents for each in found],
    }


async def for_suggest_runbook(ops: OpsReader, input_: Row) -> Row:
    """The ticket, the published runbooks, and which of them were linked to solved tickets of its category. Raises
    NotFound when there is no such ticket."""
    ticket = await one(ops, "tickets", input_["ticketId"], TICKET)
    runbooks = await rows(ops, "runbooks", RUNBOOK, most=600, status="published", sortBy="title", sortOrder="asc")
    solved = []
    if ticket["category"]:
        solved = await rows(ops, "tickets", ("runbookIds",), category=ticket["category"], status="closed")
    return {"now": now(), "ticket": ticket, "runbooks": [_brief(each) for each in runbooks], "solved": solved}


def _most_alarmed(alerts: list[Row]) -> list[str]:
    counts: dict[str, int] = {}
    for each in alerts:
        if each["clientId"]:
            counts[each["clientId"]] = counts.get(each["clientId"], 0) + 1
    return sorted(counts, key=lambda client: (-counts[client], client))[:_CLIENTS_WITH_ASSETS]


def _brief(runbook: Row) -> Row:
    """Of what is published, the texts alone."""
    content = runbook["published"]
    if content is None:
        return runbook
    steps = [{"title": step["title"], "instructions": step["instructions"]} for step in content["steps"]]
    return {**runbook, "published": {"title": content["title"], "description": content["description"], "steps": steps}}
