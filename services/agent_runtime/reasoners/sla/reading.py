"""What the forecast reads."""

import asyncio
from typing import Any

from services.agent_runtime.reasoners.reading import now, rows
from services.agent_runtime.reasoners.reasoner import OpsReader

Row = dict[str, Any]

OPEN = (
    "number", "subject", "clientId", "status", "priority", "assigneeId", "createdAt", "firstResponseDueAt",
    "resolutionDueAt", "sla",
)  # fmt: skip
SOLVED = ("priority", "createdAt", "firstRespondedAt", "resolvedAt")
# How many tickets of each state are read: those that are due first.
_STANDING = {"new": 200, "open": 400, "in_progress": 400, "waiting_on_client": 200, "waiting_on_vendor": 200}
_DONE = ("resolved", "closed")


async def for_forecast(ops: OpsReader, input_: Row) -> Row:
    """Open tickets, of one client where the input names one, those due first; and those solved last, of all clients."""
    of_client = {"clientId": input_["clientId"]} if "clientId" in input_ else {}
    found = await asyncio.gather(
        *(
            rows(ops, "tickets", OPEN, most=most, status=status, sortBy="resolutionDueAt", sortOrder="asc", **of_client)
            for status, most in _STANDING.items()
        ),
        *(rows(ops, "tickets", SOLVED, status=status, sortBy="resolvedAt") for status in _DONE),
    )
    standing = {each["id"]: each for page in found[: len(_STANDING)] for each in page}
    solved = {each["id"]: each for page in found[len(_STANDING) :] for each in page}
    return {"now": now(), "open": list(standing.values()), "solved": list(solved.values())}
