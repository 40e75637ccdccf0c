"""Batches in JSON and NDJSON.

One in which everything is right is read in one go. One in which something is wrong is read again, event by event, to
tell what, and to keep the others.
"""

import json
import re
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from kit.errors import FieldError, Invalid, Malformed
from services.telemetry.ingest.events import Batch, Event, Metric

MOST_EVENTS = 10_000


class _Body(Struct, forbid_unknown_fields=True):
    events: Annotated[list[Event], Meta(max_length=MOST_EVENTS)]


_BODY = msgspec.json.Decoder(_Body)
_LINE: "msgspec.json.Decoder[Event]" = msgspec.json.Decoder(Event)
# What msgspec raises for JSON that it cannot read, and for nesting without end.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_json(data: bytes) -> Batch:
    """The events of `{"events": […]}`. Raises Malformed for what is no JSON, Invalid for what is no batch."""
    try:
        return Batch(_BODY.decode(data).events)
    except _UNREADABLE:
        return _pick_out(_entries(_parse(data)))


def read_ndjson(data: bytes) -> Batch:
    """The events of a text with one on each line (github.com/ndjson/ndjson-spec); empty lines are left out. Raises
    Invalid for more than there may be."""
    try:
        events = _LINE.decode_lines(data)
    except _UNREADABLE:
        lines = [line for line in data.split(b"\n") if line.strip()]
        _check_count(len(lines))
        return _pick_out(_parsed_lines(lines))
    _check_count(len(events))
    return Batch(events)


class _Unreadable(Exception):
    """A part of a batch that is no JSON; says why."""


def _parse(data: bytes) -> Any:
    try:
        # Python's own reader takes NaN and infinities, so that the other events of the batch are kept.
        return json.loads(data, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"The body is not JSON: {_words(error)}.", code="body-not-json") from error


def _entries(body: Any) -> list[Any]:
    if not isinstance(body, dict):
        raise Invalid.fields(FieldError("body", "must be an object"))
    unknown = [FieldError(str(name)[:200], "is not a known field") for name in body if name != "events"]
    entries = body.get("events")
    if not isinstance(entries, list):
        unknown.append(FieldError("events", "is required" if entries is None else "must be a list"))
    if unknown:
        raise Invalid.fields(*unknown[:100])
    assert isinstance(entries, list)
    _check_count(len(entries))
    return entries


def _check_count(count: int) -> None:
    if count > MOST_EVENTS:
        raise Invalid.fields(FieldError("events", f"must have at most {MOST_EVENTS} items"))


def _parsed_lines(lines: Iterable[bytes]) -> Iterator[Any]:
    for line in lines:
        try:
            yield json.loads(line, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            yield _Unreadable(f"is not JSON: {_words(error)}")


def _pick_out(entries: Iterable[Any]) -> Batch:
    batch = Batch([])
    for index, entry in enumerate(entries):
        try:
            event = _event(entry)
        except _Unreadable as error:
            batch.reject(index, str(error))
        else:
            batch.take(index, event)
    return batch


class _Repeated(dict[str, Any]):
    """An object with a key that stands in it twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Repeated(found)


def _event(entry: Any) -> Event:
    if isinstance(entry, _Unreadable):
        raise entry
    if isinstance(entry, _Repeated):
        raise _Unreadable("has a field twice")
    try:
        event: Event = msgspec.convert(entry, Event, strict=True)
    except msgspec.ValidationError as error:
        raise _Unreadable(sentence(str(error))) from error
    if isinstance(event, Metric) and not isfinite(event.value):
        raise _Unreadable("value: must be a finite number")
    return event


_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?$", re.DOTALL)


def sentence(error: str) -> str:
    """msgspec's `Expected `float`, got `str` - at `$.value`` as `value: expected float, got str`."""
    match = _PLACE.match(error)
    assert match is not None
    what, where = match["what"].replace("`", "")[:300], match["where"]
    return f"{where}: {what[:1].lower()}{what[1:]}" if where else f"{what[:1].lower()}{what[1:]}"


def _words(error: Exception) -> str:
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)[:200]
