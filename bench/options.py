"""How long and how much is measured."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """`seconds` of one measurement, `rounds` of each. `full`: with as much in the tables as the largest users have,
    which takes many minutes to make. `data` is kept between runs. `report` tells how far it is."""

    seconds: float
    rounds: int
    full: bool
    data: Path
    report: Callable[[str], None]
