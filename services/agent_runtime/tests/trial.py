"""Reasoners that misbehave, each in its own way. Worker processes import them too."""

import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from services.agent_runtime.reasoners.reasoner import Json, OpsReader, ProposedAction, Reasoner, Result

ANYTHING: Json = {"type": "object"}


def _mark(given: Json) -> None:
    """Leave a line with the process id, where the test asks for it."""
    if path := given.get("mark"):
        with Path(path).open("a") as file:
            file.write(f"{os.getpid()}\n")


def sleep(given: Json, data: Json) -> Result:
    _mark(given)
    time.sleep(given.get("seconds", 0.05))
    return Result({"slept": given.get("seconds", 0.05), "pid": os.getpid()}, {"whole": 1, "half": 0.5})


def spin(given: Json, data: Json) -> Result:
    """Never looks up."""
    _mark(given)
    while True:
        math.sqrt(2)


def crash(given: Json, data: Json) -> Result:
    _mark(given)
    os._exit(3)


def crash_once(given: Json, data: Json) -> Result:
    """The first time only."""
    first = not Path(given["mark"]).exists()
    _mark(given)
    if first:
        os._exit(3)
    return Result({"tries": len(Path(given["mark"]).read_text().split())}, {})


def leave(given: Json, data: Json) -> Result:
    sys.exit("enough of this")


def hungry(given: Json, data: Json) -> Result:
    eaten = []
    while True:
        eaten.append(bytearray(10_000_000))


def fail(given: Json, data: Json) -> Result:
    raise ValueError("the\nprinter\x00 is on fire")


def chatter(given: Json, data: Json) -> Result:
    """Prints, reads, and writes to what should be out of its reach."""
    print("hello")
    os.write(1, b"garbage in the pipe\n")
    return Result({"read": sys.stdin.read()}, {})


def environment(given: Json, data: Json) -> Result:
    return Result({"names": sorted(os.environ)}, {})


def give(given: Json, data: Json) -> Result:
    return Result(given["output"], given.get("evidence", {}))


def nothing_json(given: Json, data: Json) -> Result:
    outputs: dict[str, object] = {"nan": math.nan, "set": {1}, "surrogate": "\ud800"}
    return Result({"value": outputs[given["what"]]}, {})


def nul(given: Json, data: Json) -> Result:
    return Result({"text": "a\0b"}, {})


def long(given: Json, data: Json) -> Result:
    return Result({"text": "x" * given["length"]}, {})


def propose(given: Json, data: Json) -> Result:
    action = ProposedAction(given["action"], {"subject": "Disk is full", "minutes": 30}, "It has been full for a day.")
    return Result({}, {}, (action,))


async def read_client(ops: OpsReader, given: Json) -> Json:
    client = await ops.get("clients", given["clientId"])
    tickets = await ops.list("tickets", limit=given.get("limit", 200), clientId=given["clientId"], status="open")
    return {"client": client["name"], "tickets": [each["subject"] for each in tickets]}


async def read_too_much(ops: OpsReader, given: Json) -> Json:
    for _ in range(given["calls"]):
        await ops.list("tickets")
    return {}


async def gather_and_fail(ops: OpsReader, given: Json) -> Json:
    raise RuntimeError("no\nidea")


def tell(given: Json, data: Json) -> Result:
    return Result(data, {"rows": data})


WHOLE: Json = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 0}},
    "required": ["count"],
    "additionalProperties": False,
}


def _reasoner(name: str, reason: Callable[[Json, Json], Result]) -> Reasoner:
    return Reasoner("trial", name, f"Tries {name}.", ANYTHING, ANYTHING, 20, 3, None, reason)


_PLAIN = (sleep, spin, crash, crash_once, leave, hungry, fail, chatter, environment, nothing_json, nul, long, propose)

REASONERS = {
    each.full_name: each
    for each in (
        *(_reasoner(reason.__name__, reason) for reason in _PLAIN),
        replace(_reasoner("slow", sleep), timeout_seconds=1),
        replace(_reasoner("stuck", spin), timeout_seconds=1),
        replace(_reasoner("once", crash), most_tries=1),
        replace(_reasoner("whole", give), output_schema=WHOLE),
        replace(_reasoner("read_client", tell), gather=read_client),
        replace(_reasoner("read_too_much", tell), gather=read_too_much),
        replace(_reasoner("gather_and_fail", tell), gather=gather_and_fail),
        replace(_reasoner("sleep", sleep), agent="other"),
    )
}
