"""The evidence of a result: which rows were looked at, and which rules led where. Pure."""

from collections.abc import Iterable
from typing import Any

# What is named; how many there were is always said.
_MOST_ROWS = 200


def evidence(rules: Iterable[dict[str, Any]], **rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """`rules`: each with what it is and what it did. `rows`: those looked at, by kind ("time_entries" stands for
    "time-entries"); of each kind the ids, and how many they are."""
    named = {}
    for kind, found in rows.items():
        ids = [row["id"] for row in found]
        named[kind.replace("_", "-")] = {"count": len(ids), "ids": ids[:_MOST_ROWS]}
    return {"rows": named, "rules": list(rules)}


def rule(name: str, weight: float, because: str) -> dict[str, Any]:
    """A rule that counted: its name, how much, and what in the rows it saw."""
    return {"rule": name, "weight": round(weight, 3), "because": because}
