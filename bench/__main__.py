"""`make bench`: every figure of the platform in one table, each beside a floor or a peer measured in the same run.

Rounds alternate with those of the floor, so that a noisy machine disturbs both alike. What is worse than
bench/baseline.json by more than the noise is told at the end, and makes the exit code 1; --save keeps the figures as
the new baseline.
"""

import argparse
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from bench import bulk, executions, figures, footprint, imports, ingest, portal, summary, tickets
from bench.figures import Figure
from bench.options import Options

BASELINE = Path(__file__).with_name("baseline.json")
PARTS: dict[str, Callable[[Options], Awaitable[list[Figure]]]] = {
    "footprint": footprint.figures,
    "tickets": tickets.figures,
    "portal": portal.figures,
    "bulk": bulk.figures,
    "imports": imports.figures,
    "executions": executions.figures,
    "ingest": ingest.figures,
    "summary": summary.figures,
}


async def measure(names: list[str], options: Options, keep: Callable[[list[Figure]], None]) -> list[Figure]:
    """All figures of these parts, one part after the other; `keep` is called with those of each as soon as they are
    there: what comes later may fail."""
    found: list[Figure] = []
    for name in names:
        options.report(f"{name} …")
        part = await PARTS[name](options)
        keep(part)
        found += part
    return found


def main() -> int:
    """1 when something is worse than it was."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", help=f"parts to measure, of {','.join(PARTS)}")
    parser.add_argument("--seconds", type=float, default=4, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each")
    parser.add_argument("--full", action="store_true", help="also with many millions of rows; takes an hour")
    parser.add_argument("--data", type=Path, default=Path(".devstack-bench"), help="kept between runs")
    parser.add_argument("--save", action="store_true", help="keep these figures as the baseline")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(PARTS)
    if unknown := set(names) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    began = time.monotonic()

    def report(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {line}", flush=True)

    options = Options(arguments.seconds, arguments.rounds, arguments.full, arguments.data.resolve(), report)
    before = figures.load(BASELINE)

    def keep(part: list[Figure]) -> None:
        if arguments.save:
            figures.save(BASELINE, part)

    found = uvloop.run(measure(names, options, keep))
    print(f"\n{figures.table(found)}")
    worse = figures.compare(before, found)
    for line in worse:
        print(f"worse: {line}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
