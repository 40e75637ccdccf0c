"""Shows the log lines of all programs as they come, each with its program's name in front."""

import asyncio
import sys
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path

PAUSE = 0.2
COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)


class Follower:
    """Follows log files from where they end now."""

    def __init__(self, logs: Iterable[Path]) -> None:
        """The name in front of a line is its file's, without the suffix."""
        self._positions = {log: log.stat().st_size if log.exists() else 0 for log in logs}
        self._width = max((len(log.stem) for log in self._positions), default=0)
        self._colours = dict(zip(self._positions, cycle(COLOURS), strict=False))

    async def run(self) -> None:
        """Print new lines until cancelled; what is there at that moment is printed too."""
        try:
            while True:
                self._print_new()
                await asyncio.sleep(PAUSE)
        finally:
            self._print_new()

    def _print_new(self) -> None:
        for log, position in self._positions.items():
            if not log.exists() or log.stat().st_size <= position:
                continue
            with log.open("rb") as file:
                file.seek(position)
                # A line of which only a part is written yet waits for its rest.
                whole = file.read().rpartition(b"\n")[0]
            if whole:
                self._positions[log] = position + len(whole) + 1
                for line in whole.decode(errors="replace").splitlines():
                    self._print(log, line)
        sys.stdout.flush()

    def _print(self, log: Path, line: str) -> None:
        name = log.stem.ljust(self._width)
        if sys.stdout.isatty():
            name = f"\x1b[{self._colours[log]}m{name}\x1b[0m"
        print(f"{name} | {line}")
