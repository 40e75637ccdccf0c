"""What ops lets a new one only become step by step: a resource that is further on where it comes from is made, then
moved there."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message

from kit import contract

# By kind and the word that the file has: the states to go through.
_MOVES: dict[str, dict[str, tuple[str, ...]]] = {
    "clients": {"suspended": ("suspended",), "offboarded": ("offboarded",)},
    "contacts": {"archived": ("archived",)},
    "tickets": {
        "open": ("open",),
        "in_progress": ("in_progress",),
        "waiting_on_client": ("open", "waiting_on_client"),
        "waiting_on_vendor": ("open", "waiting_on_vendor"),
        "resolved": ("resolved",),
        "closed": ("resolved", "closed"),
    },
}


def split_off(message: Message, kind: str) -> Sequence[Message]:
    """Take out of a new resource the state in which ops would not let it begin. What is to be set afterwards, one after
    the other: `status` of each."""
    moves = _MOVES.get(kind, {})
    if not moves:
        return ()
    field = message.DESCRIPTOR.fields_by_name["status"]
    numbers = contract.enum_words(field)
    words = {number: word for word, number in numbers.items()}
    state: Any = message
    way = moves.get(words.get(state.status, ""), ())
    if way:
        message.ClearField("status")
    made: Any = type(message)
    return [made(status=numbers[word]) for word in way]
