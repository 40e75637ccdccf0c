"""The local platform's program: `python -m devstack run` and `python -m devstack token`."""

import signal
import sys


def start() -> int:
    """Load the commands and run the one that was given; returns the exit code."""
    # Loading takes a moment, in which Ctrl-C shall end the program without a trace of where it was.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from devstack.command_line import main

    return main()


if __name__ == "__main__":
    sys.exit(start())
