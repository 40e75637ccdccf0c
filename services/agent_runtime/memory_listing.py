"""Pages of what lies in memory: filters, search, order and count, as all lists have them."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from google.protobuf.message import Message

from kit.paging import Listing

M = TypeVar("M", bound=Message)


def page(messages: Iterable[M], listing: Listing, *, texts: Callable[[Any], Iterable[str]]) -> tuple[list[M], int]:
    """The messages of the page, and how many match in all. `texts`: of a message, what `q` searches. What has no value
    to sort by comes last."""
    wanted = listing.q.lower()
    found = [
        each
        for each in messages
        if all(_value(each, name) == value for name, value in listing.values.items())
        and any(wanted in text.lower() for text in texts(each))
    ]
    by_id = sorted(found, key=lambda each: str(_value(each, "id")), reverse=not listing.ascending)
    known = [each for each in by_id if _value(each, listing.sort_by) is not None]
    known.sort(key=lambda each: _value(each, listing.sort_by), reverse=not listing.ascending)
    ordered = known + [each for each in by_id if _value(each, listing.sort_by) is None]
    return ordered[listing.offset : listing.offset + listing.limit], len(found)


def _value(message: Any, name: str) -> Any:
    """For comparison: enums as words, times as numbers."""
    field = message.DESCRIPTOR.fields_by_name[name]
    value = getattr(message, name)
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name.lower()
    if field.message_type is not None:
        return (value.seconds, value.nanos) if message.HasField(name) else None
    return value
