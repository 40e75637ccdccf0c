"""Bodies that are handed on as they came, and the memory that they may take meanwhile.

Such a body is large, so the gateway neither reads nor inflates it. From before it is read until its answer is out it
counts against a budget of the whole process: what does not fit is refused unread, so that memory stays flat however
many come at once.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway import bodies
from gateway.exchange import CLOSE, HeaderList, Request
from kit import contract
from kit.contract import ContractError, Route, Rpc
from kit.errors import FieldError, TooManyRequests, UnsupportedMediaType
from opsfield.common.v1 import raw_body_pb2
from opsfield.options.v1 import field_pb2


class Overloaded(TooManyRequests):
    """429, unread."""

    def __init__(self) -> None:
        super().__init__("Too much comes in at once; try again.", code="overloaded", retry_after=1)
        self.headers: HeaderList = [CLOSE]


class Budget:
    """`most_bytes`: what may be held at once in this process."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.held = 0

    @contextmanager
    def hold(self, count: int) -> Iterator[None]:
        """Room for `count` bytes until the block ends. Raises Overloaded."""
        if self.held + count > self.most_bytes:
            raise Overloaded
        self.held += count
        try:
            yield
        finally:
            self.held -= count


class RawBody:
    """A body that is the field `field` of the request message. `seconds`: how long it may take to arrive."""

    def __init__(self, field: FieldDescriptor, budget: Budget, seconds: float) -> None:
        """Raises ContractError when the largest body would never fit."""
        self._name = field.name
        self._options = contract.field_options(field).raw
        if self._options.maximum_bytes > budget.most_bytes:
            raise ContractError(f"{field.full_name} may be larger than RAW_BODY_BUDGET_BYTES")
        self._budget = budget
        self._seconds = seconds

    async def read(self, request: Request) -> raw_body_pb2.RawBody:
        """Raises UnsupportedMediaType, TooLarge, Overloaded, or Malformed when it does not arrive."""
        content_type, encoding = self._content_type(request.headers), self._encoding(request.headers)
        count = bodies.content_length(request.headers, self._options.maximum_bytes)
        # Given back when the answer is out.
        request.holds.enter_context(self._budget.hold(count))
        data = await bodies.receive(request, count, self._seconds)
        return raw_body_pb2.RawBody(content_type=content_type, content_encoding=encoding, data=data)

    def validate(self, sent: raw_body_pb2.RawBody) -> tuple[dict[str, Any], list[FieldError]]:
        """The field of the request message, for its constructor. What is in it is for the service to read."""
        return {self._name: sent}, []

    def _content_type(self, given: Mapping[bytes, str]) -> str:
        media_type, parameters = bodies.media_type(given)
        if media_type not in self._options.media_types:
            raise UnsupportedMediaType(f"Content-Type must be {' or '.join(self._options.media_types)}.")
        # Other parameters say nothing that matters here.
        bodies.check_charset([each for each in parameters if each.startswith("charset")])
        return media_type

    def _encoding(self, given: Mapping[bytes, str]) -> str:
        encoding = bodies.encoding(given)
        if encoding and encoding not in self._options.encodings:
            raise UnsupportedMediaType(
                f"Content-Encoding must be {' or '.join(['identity', *self._options.encodings])}.",
                code="unsupported-content-encoding",
            )
        return encoding


def raw_field(rpc: Rpc, route: Route) -> FieldDescriptor | None:
    """The field that is the route's body as it came; None when there is none. Raises ContractError when it cannot be
    served."""
    field = rpc.raw_body
    if field is None:
        return None
    if field.name != route.body or field.is_repeated:
        raise ContractError(f"{field.full_name} is a raw body, so it must be the whole body of {rpc.path}")
    options = contract.field_options(field).raw
    if not options.media_types or options.maximum_bytes <= 0:
        raise ContractError(f"{field.full_name} needs media_types and maximum_bytes of its (field).raw")
    schema(options)
    return field


def schema(options: field_pb2.Raw) -> Descriptor | None:
    """The message that describes the JSON in the body. Raises ContractError for one that there is not."""
    if not options.schema:
        return None
    try:
        found: Descriptor = descriptor_pool.Default().FindMessageTypeByName(options.schema)
    except KeyError as error:
        raise ContractError(f"there is no message {options.schema} that could describe a raw body") from error
    return found
