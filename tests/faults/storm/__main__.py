"""`python -m tests.faults.storm --seed 1 --minutes 30`: the figures on stdout, exit code 1 when the books are wrong."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.storm.programme import run


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5)
    arguments = parser.parse_args()
    began = time.monotonic()

    def report(step: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {step}", flush=True)

    folder = Path(tempfile.mkdtemp(prefix="opsfield-storm-"))
    print(f"seed {arguments.seed}, {arguments.minutes:g} minutes; databases and logs lie in {folder}")
    try:
        found = run(folder, seed=arguments.seed, minutes=arguments.minutes, report=report)
    except AssertionError as error:
        print(f"The books do not add up (seed {arguments.seed}): {error}", file=sys.stderr)
        return 1
    for name, count in found.items():
        print(f"{count:10,}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
