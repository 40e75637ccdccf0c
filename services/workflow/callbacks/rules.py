"""What a callback says: which try it is about, in the id of its delivery, and what happened to it, in its body.

The id is ours: agent-runtime tells the engine to send it along. It is no part of what is signed, so it proves nothing;
the worst that a made-up one can do is that we look once more.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from kit.errors import Malformed

# `<workspace>.<execution>.<attempt>.<lease>`; the lease is there to make each try's deliveries others.
_DELIVERY = re.compile(r"[^.]+\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([1-9][0-9]{0,8})\.[0-9A-Za-z-]{1,64}")
_LONGEST_NOTE = 100
_NOTED = ("event", "status", "execution_id")


@dataclass(frozen=True)
class Delivery:
    """`attempt`: of the execution, as it is told in dispatch.proto."""

    execution_id: str
    attempt: int


def delivery(text: str) -> Delivery | None:
    """What a delivery's id names; None for an id that is none of ours."""
    found = _DELIVERY.fullmatch(text)
    return Delivery(found[1], int(found[2])) if found else None


def notes(body: bytes) -> dict[str, str]:
    """What is worth noting of a body, for the log: short texts, whatever was sent. Raises Malformed for what is no JSON
    object."""
    try:
        # Strict in nothing but that: what is not known is left aside, since it is another's to change.
        value: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed("The body is not JSON.", code="malformed-json") from error
    if not isinstance(value, dict):
        raise Malformed("The body must be a JSON object.", code="malformed-json")
    return {name: _note(value[name]) for name in _NOTED if isinstance(value.get(name), str)}


def _note(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST_NOTE])
