"""What the health of assets is judged by."""

import asyncio
from typing import Any

from services.agent_runtime.reasoners.reading import now, rows
from services.agent_runtime.reasoners.reasoner import OpsReader

Row = dict[str, Any]

ASSET = (
    "name", "clientId", "siteId", "contactId", "status", "lifecycle", "type", "manufacturer", "model", "serialNumber",
    "operatingSystem", "purchaseDate", "warrantyExpiresOn", "lastSeenAt", "maintenanceMode",
)  # fmt: skip
ALERT = ("rule", "title", "severity", "assetId", "ticketId")
TICKET = ("status", "assetIds", "createdAt", "tags", "description")


async def for_health(ops: OpsReader, input_: Row) -> Row:
    """Assets, of one client where the input names one; their alerts that are not over; the latest tickets."""
    of_client = {"clientId": input_["clientId"]} if "clientId" in input_ else {}
    assets, firing, acknowledged, tickets = await asyncio.gather(
        rows(ops, "assets", ASSET, most=800, sortBy="createdAt", sortOrder="asc", **of_client),
        rows(ops, "alerts", ALERT, most=400, status="firing", **of_client),
        rows(ops, "alerts", ALERT, status="acknowledged", **of_client),
        rows(ops, "tickets", TICKET, most=600, **of_client),
    )
    return {"now": now(), "assets": assets, "alerts": [*firing, *acknowledged], "tickets": tickets}
