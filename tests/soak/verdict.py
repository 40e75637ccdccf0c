"""Whether something stays as it is: its last quarter beside the second one, when all is warm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Course:
    """How something went: the median of the second quarter of its samples, of the last one, and the most of all."""

    name: str
    warm: float
    last: float
    most: float

    def grew(self, *, share: float, least: float) -> bool:
        """By more than this share of what it was, and more than `least`."""
        return self.last - self.warm > max(least, share * self.warm)

    def __str__(self) -> str:
        return f"{self.name:<36} {self.warm:8.1f} → {self.last:8.1f}   at most {self.most:8.1f}"


def courses(samples: Sequence[Mapping[str, float]]) -> list[Course]:
    """Of each name, in the order of their names. What a sample does not name was 0 then."""
    quarter = max(1, len(samples) // 4)
    names = sorted({name for sample in samples for name in sample})
    return [_course(name, [sample.get(name, 0.0) for sample in samples], quarter) for name in names]


def _course(name: str, values: Sequence[float], quarter: int) -> Course:
    return Course(name, median(values[quarter : 2 * quarter] or values), median(values[-quarter:]), max(values))
