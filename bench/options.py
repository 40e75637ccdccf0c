"""How long and how much is measured."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devstack.layout import GATEWAY


@dataclass(frozen=True)
class Options:
    """`seconds` of one measurement, `rounds` of each. `full`: with as much in the tables as the largest users have,
    which takes many minutes to make. `data` is kept between runs. `report` tells how far it is."""

    seconds: float
    rounds: int
    full: bool
    data: Path
    report: Callable[[str], None]


def quiet(*services: str) -> dict[str, dict[str, str]]:
    """Settings under which the gateway and these services log no requests, and rates have no limit."""
    found = {name: {"LOG_LEVEL": "warning"} for name in (GATEWAY, *services)}
    found[GATEWAY]["RATE_LIMIT_PER_MINUTE"] = "0"
    return found
