"""What a dead letter says of itself in its headers: `kit.consumer` parks an event, `kit.replay` sends it back."""

from collections.abc import Sequence
from typing import TypeAlias

from aiokafka import ConsumerRecord

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"
Headers = Sequence[tuple[str, bytes]]

DEAD_LETTER_SUFFIX = ".dlq"
_REASON_LENGTH = 1000
_REASON, _CONSUMER, _TOPIC, _PARTITION, _OFFSET = (
    f"dlq-{name}" for name in ("reason", "consumer", "topic", "partition", "offset")
)
_PARKED = {_REASON, _CONSUMER, _TOPIC, _PARTITION, _OFFSET}
# The one consumer that a record which is sent again is meant for.
_REPLAY_FOR = "replay-for"


def parked(record: Record, *, consumer: str, reason: str) -> Headers:
    """The headers of the record's dead letter."""
    return [
        *((name, value) for name, value in record.headers if name != _REPLAY_FOR),
        (_REASON, reason[:_REASON_LENGTH].encode()),
        (_CONSUMER, consumer.encode()),
        (_TOPIC, record.topic.encode()),
        (_PARTITION, str(record.partition).encode()),
        (_OFFSET, str(record.offset).encode()),
    ]


def sent_back(letter: Record, consumer: str) -> Headers:
    """The headers of a dead letter's record when it is sent again, for that consumer alone."""
    kept = [(name, value) for name, value in letter.headers if name not in _PARKED]
    return [*kept, (_REPLAY_FOR, consumer.encode())]


def is_for(record: Record, consumer: str) -> bool:
    """Whether the consumer has to take it: all but what is sent again for another."""
    return _last(record, _REPLAY_FOR) in ("", consumer)


def consumer_of(letter: Record) -> str:
    """Who parked it."""
    return _last(letter, _CONSUMER)


def reason_of(letter: Record) -> str:
    """Why it was parked."""
    return _last(letter, _REASON)


def _last(record: Record, name: str) -> str:
    return next((value.decode(errors="replace") for header, value in reversed(record.headers) if header == name), "")
