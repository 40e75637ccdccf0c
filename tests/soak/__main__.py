"""`python -m tests.soak --minutes 60`: figures on stdout, exit code 1 when something grew or the books are wrong."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.programme import Soak


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    arguments = parser.parse_args()
    began = time.monotonic()

    def report(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {line}", flush=True)

    folder = Path(tempfile.mkdtemp(prefix="opsfield-soak-"))
    print(f"{arguments.minutes:g} minutes; databases and logs lie in {folder}")
    try:
        found = Soak(folder, minutes=arguments.minutes, report=report).run()
    except AssertionError as error:
        print(f"It does not stay as it is: {error}", file=sys.stderr)
        return 1
    for name, figure in found.items():
        print(f"{figure:12,.0f}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
