"""What was measured, as one table; and whether it is worse than it was."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

# What a figure without a floor may move by, on machines that differ from run to run.
_NOISE_ALONE = 0.25
_NOISE = 0.05


@dataclass(frozen=True)
class Figure:
    """`rounds`: what was measured, one number each. `floors`: in the same rounds, of what it stands beside. `aim`: of
    the ratio where there are floors, else of the figure."""

    part: str
    name: str
    unit: str
    rounds: Sequence[float]
    floor: str = ""
    floors: Sequence[float] = ()
    less_is_better: bool = False
    aim: float | None = None

    @property
    def key(self) -> str:
        return f"{self.part}: {self.name}"

    @property
    def compared(self) -> list[float]:
        """What is compared with another run: by rounds the ratios to the floor, or the figure itself."""
        if not self.floors:
            return list(self.rounds)
        return [one / other for one, other in zip(self.rounds, self.floors, strict=True)]

    @property
    def is_met(self) -> bool | None:
        """Whether it is what is aimed at; None: nothing is."""
        if self.aim is None:
            return None
        found = median(self.compared)
        return found <= self.aim if self.less_is_better else found >= self.aim


def table(figures: Sequence[Figure]) -> str:
    """For people: medians, ratios to the floor with their spread, aims."""
    lines = [
        f"{'':<52} {'median':>10} {'unit':<10} {'ratio':>6} {'from':>6} {'to':>6}  beside" + " " * 22 + "aim",
        *map(_line, figures),
    ]
    return "\n".join(lines)


def _line(figure: Figure) -> str:
    told = f"{figure.key:<52} {_number(median(figure.rounds)):>10} {figure.unit:<10}"
    if figure.floors:
        ratios = figure.compared
        told += f" {median(ratios):6.2f} {min(ratios):6.2f} {max(ratios):6.2f}"
        told += f"  {f'{figure.floor} ({_number(median(figure.floors))})':<28}"
    else:
        told += " " * 51
    if figure.aim is not None:
        told += f"{'≤' if figure.less_is_better else '≥'} {figure.aim:g} {'met' if figure.is_met else 'NOT MET'}"
    return told.rstrip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def worsened(before: Figure, now: Figure) -> str | None:
    """In a sentence how much worse it is, if that is more than the noise: the two have no value in common, and their
    medians differ by more than a twentieth (a quarter where nothing was measured beside it)."""
    old, new = before.compared, now.compared
    one, other = median(old), median(new)
    if now.less_is_better:
        apart, change = min(new) > max(old), other / one - 1
    else:
        apart, change = max(new) < min(old), one / other - 1
    if not apart or change <= (_NOISE if now.floors else _NOISE_ALONE):
        return None
    what = (
        f"{one:.2f} to {other:.2f} of {now.floor}" if now.floors else f"{_number(one)} to {_number(other)} {now.unit}"
    )
    return f"{now.key} went from {what}: {change:.0%} worse"


def compare(before: Sequence[Figure], now: Sequence[Figure]) -> list[str]:
    """What is worse than it was, of what both have."""
    known = {each.key: each for each in before}
    found = (worsened(known[each.key], each) for each in now if each.key in known)
    return [each for each in found if each]


def save(path: Path, figures: Sequence[Figure]) -> None:
    """Of parts that were not measured, the figures that are there stay."""
    measured = {each.part for each in figures}
    kept = [each for each in load(path) if each.part not in measured]
    lines = ",\n".join(json.dumps(asdict(_rounded(each))) for each in (*kept, *figures))
    path.write_text(f"[\n{lines}\n]\n")


def load(path: Path) -> list[Figure]:
    """Nothing where there is no such file."""
    return [Figure(**each) for each in json.loads(path.read_text())] if path.exists() else []


def _rounded(figure: Figure) -> Figure:
    values = {name: [round(each, 4) for each in getattr(figure, name)] for name in ("rounds", "floors")}
    return Figure(**{**asdict(figure), **values})
