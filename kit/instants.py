"""Times in requests."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from kit.errors import FieldError, Invalid


def instant(timestamp: Timestamp, name: str) -> datetime:
    """The time in a request's field `name`. Raises Invalid: a caller over gRPC may send what is no time at all."""
    try:
        return timestamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid.fields(FieldError(name, "must be a time between the years 1 and 9999")) from error
