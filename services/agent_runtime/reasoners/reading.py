"""How reasoners read: page by page, and of each row what they use."""

from collections.abc import Iterable, Sequence
from typing import Any

from kit import clock
from services.agent_runtime.reasoners import times
from services.agent_runtime.reasoners.reasoner import OpsReader

PAGE = 200


async def rows(
    ops: OpsReader, kind: str, fields: Sequence[str], *, most: int = PAGE, **filters: Any
) -> list[dict[str, Any]]:
    """The first `most` rows of a list, with these fields alone. A row that moves between two pages is there once."""
    found: dict[str, dict[str, Any]] = {}
    for offset in range(0, most, PAGE):
        wanted = min(PAGE, most - offset)
        page = await ops.list(kind, limit=wanted, **filters, **({"offset": offset} if offset else {}))
        found.update((row["id"], narrowed(row, fields)) for row in page)
        if len(page) < wanted:
            break
    return list(found.values())


async def one(ops: OpsReader, kind: str, resource_id: str, fields: Sequence[str]) -> dict[str, Any]:
    """One row, with these fields alone. Raises NotFound."""
    return narrowed(await ops.get(kind, resource_id), fields)


def narrowed(row: dict[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """The row's id and these of its fields: a worker is sent nothing that it does not use."""
    return {"id": row["id"], **{name: row.get(name) for name in fields}}


def now() -> str:
    """The time at which it was read."""
    return times.written(clock.now())
