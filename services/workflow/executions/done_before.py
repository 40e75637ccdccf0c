"""What attempts before have done of what they proposed: it stays to be seen, and is not done again. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]

# Characters of it that there may be beside what is proposed now, since all of them are told with each end.
_MOST = 200_000


def kept(proposals: Sequence[Row]) -> list[Row]:
    """What the next attempt knows of these: what was done, and what was begun, which is not done."""
    found: list[Row] = []
    size = 0
    for each in proposals:
        if each.get("resource_id"):
            size += len(repr(each))
            if size > _MOST:
                break
            found.append(each if each["state"] == "applied" else {**each, "state": "failed"})
    return found


def proposed(proposals: Sequence[Mapping[str, Any]], done: Sequence[Row]) -> list[Row]:
    """What is proposed now: what was done is applied already, what was begun goes on from there. What else was done
    stands behind it."""
    left, found = list(done), []
    for each in proposals:
        same = next((it for it in left if all(it[name] == each[name] for name in ("action", "parameters"))), None)
        if same is None:
            found.append({**each, "state": "proposed"})
            continue
        left.remove(same)
        begun = {**each, "state": "proposed", "resource_id": same["resource_id"]}
        found.append(same if same["state"] == "applied" else begun)
    return [*found, *left]
