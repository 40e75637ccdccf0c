"""Starts the agent's command line as it is, but for what a test wants to change:

    python launch.py '{"set": {"policy.SHORTEST_SECONDS": "0.05"}, "journal": FILE, "kill_at": 7}' run …

`set` gives names in modules new values (Python expressions); `journal` gets a line for each batch that is renamed into
the spool; the process is killed just before its `kill_at`th change to a file of the state directory or connection.
"""

import functools
import importlib
import json
import os
import signal
import sys
from typing import Any

from opsfield_agent.command_line import main

_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.chmod", "os.chown", "os.truncate", "socket.connect"}


def _prepare(wishes: dict[str, Any]) -> None:
    for name, expression in wishes.get("set", {}).items():
        module, *path, attribute = name.split(".")
        holder = functools.reduce(getattr, path, importlib.import_module(f"opsfield_agent.{module}"))
        setattr(holder, attribute, eval(expression, {"old": getattr(holder, attribute)}))
    if "journal" in wishes:
        _keep_journal(wishes["journal"])
    if "kill_at" in wishes:
        _kill_at(wishes["kill_at"])


def _keep_journal(path: str) -> None:
    journal = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def hear(event: str, details: tuple[Any, ...]) -> None:
        if event == "os.rename" and str(details[1]).endswith(".batch"):
            os.write(journal, os.path.basename(str(details[1])).encode() + b"\n")

    sys.addaudithook(hear)


def _kill_at(last: int) -> None:
    seen = 0

    def count(event: str, details: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in _CHANGES or (event == "open" and isinstance(details[2], int) and details[2] & os.O_CREAT):
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


if __name__ == "__main__":
    _prepare(json.loads(sys.argv.pop(1)))
    sys.exit(main())
