"""Events as CloudEvents 1.0 in structured JSON mode (Kafka protocol binding), and back.

The extensions `workspaceid` and `correlationid` say whose event it is and which request caused it; `traceparent` is
the distributed-tracing extension.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from google.protobuf.message import Message

from kit import clock, contract, ids, json_encoding
from kit.call import Call

CONTENT_TYPE = b"application/cloudevents+json; charset=UTF-8"


class NotAnEvent(ValueError):
    """What came from Kafka is not a CloudEvent of ours."""


@dataclass(frozen=True)
class Event:
    """One fact: `key` is the id of the resource that changed, `body` the whole CloudEvent as JSON text."""

    id: str
    topic: str
    key: str
    body: str
    created_at: datetime
    correlation_id: str


@dataclass(frozen=True)
class ReceivedEvent:
    """A CloudEvent as a consumer gets it; `data` is the parsed JSON of the topic's message."""

    id: str
    source: str
    topic: str
    key: str
    workspace_id: str
    correlation_id: str
    traceparent: str | None
    time: datetime
    data: dict[str, Any]


def compose(message: Message, *, key: str, service: str, call: Call) -> Event:
    """The event that tells of `message` (whose type has the `(event)` option)."""
    topic = contract.event_topic(message.DESCRIPTOR)
    event_id, instant = ids.new_id(), clock.now()
    body = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/opsfield/{service}",
        "type": topic,
        "subject": key,
        "time": instant,
        "datacontenttype": "application/json",
        "workspaceid": call.workspace_id,
        "correlationid": call.correlation_id,
    }
    if call.traceparent:
        body["traceparent"] = call.traceparent
    body["data"] = json_encoding.encoder(message.DESCRIPTOR, redacted=True)(message)
    return Event(event_id, topic, key, json_encoding.dumps(body).decode(), instant, call.correlation_id)


def parse(value: bytes | None, *, topic: str) -> ReceivedEvent:
    """Raises NotAnEvent, saying what is wrong."""
    try:
        body = orjson.loads(value or b"")
        if not isinstance(body, dict) or body["specversion"] != "1.0":
            raise NotAnEvent("not a CloudEvent 1.0")
        return ReceivedEvent(
            id=_text(body, "id"),
            source=_text(body, "source"),
            topic=topic,
            key=_text(body, "subject"),
            workspace_id=_text(body, "workspaceid"),
            correlation_id=_text(body, "correlationid"),
            traceparent=_text(body, "traceparent") if "traceparent" in body else None,
            time=_instant(_text(body, "time")),
            data=_object(body, "data"),
        )
    except NotAnEvent:
        raise
    except (KeyError, ValueError, TypeError) as error:
        raise NotAnEvent(f"not a CloudEvent of ours: {type(error).__name__} {error}") from error


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise NotAnEvent("time has no time zone")
    return instant


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body[name]
    if not isinstance(value, dict):
        raise NotAnEvent(f"{name} is not an object")
    return value


def _text(body: dict[str, Any], name: str) -> str:
    value = body[name]
    if not isinstance(value, str) or not value:
        raise NotAnEvent(f"{name} is not a text")
    return value
