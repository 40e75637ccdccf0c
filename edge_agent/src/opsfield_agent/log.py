"""Logs for operators: one line each, to stderr."""

import logging
import re
import sys
import time

LEVELS = ("debug", "info", "warning", "error")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


class _OneLine(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        # What a server or a file name brings along must not look like a line of its own.
        return one_line(super().format(record))


def one_line(text: str, most: int = 2000) -> str:
    """The text without line breaks and other control characters, cut to `most` characters."""
    text = _CONTROL.sub(" ", text).strip()
    return text if len(text) <= most else text[: most - 1] + "…"


def configure(level: str) -> None:
    """Set up logging for the whole program."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def describe(error: BaseException) -> str:
    """An unexpected error for a line of the log, with the place in the code where it came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}: {error}{place}"
