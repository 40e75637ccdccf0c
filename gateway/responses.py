"""From the response message of an rpc to its HTTP answer."""

from functools import cache
from typing import Any

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway import headers
from gateway.exchange import HeaderList, Request, Response
from kit import contract, json_encoding
from kit.calls import Reply
from kit.contract import Route, Rpc

_COMMON: HeaderList = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_JSON: HeaderList = [(b"content-type", b"application/json"), *_COMMON]
_REPLAYED = (b"idempotency-replayed", b"true")


def has_version(message: Descriptor) -> bool:
    """Whether the answer has a version that grows with each change, sent as its ETag."""
    version = message.fields_by_name.get("version")
    return version is not None and version.cpp_type == FieldDescriptor.CPPTYPE_INT64


def has_location(rpc: Rpc) -> bool:
    """Whether the answer names what was created (RFC 9110, 10.2.2), which can be read there."""
    if rpc.policy.followed_by:
        return True
    return rpc.success_code == 201 and any(f"{route.path}/{{id}}" in _readable() for route in rpc.routes)


@cache
def _readable() -> frozenset[str]:
    return frozenset(route.path for rpc in contract.load() for route in rpc.routes if route.verb == "GET")


class Responder:
    """Writes the answers of one route."""

    def __init__(self, rpc: Rpc, route: Route, place: str | None = None) -> None:
        """`place`: the path under which what was created can be read, if not its own."""
        message = rpc.descriptor.output_type
        self._status = rpc.success_code
        self._has_version = has_version(message)
        self._has_location = has_location(rpc)
        self._place = place
        self._conditional = self._has_version and route.verb == "GET"
        self._is_raw = message.full_name == HttpBody.DESCRIPTOR.full_name
        self._encode = None if self._is_raw or self._status == 204 else json_encoding.encoder(message)

    def respond(self, request: Request, reply: Reply) -> Response:
        """Raises Malformed when If-None-Match cannot be read."""
        message, extra = reply.message, self._headers(request, reply)
        if self._conditional and headers.IF_NONE_MATCH in request.headers:
            wanted = headers.none_match(request.headers)
            if "*" in wanted or _tag(message) in wanted:
                return Response(304, b"", [*_COMMON, *extra])
        if isinstance(message, HttpBody):
            content_type = (b"content-type", message.content_type.encode())
            return Response(self._status, message.data, [content_type, *_COMMON, *extra])
        if self._encode is None:
            return Response(self._status, b"", [*_COMMON, *extra])
        return Response(self._status, json_encoding.dumps(self._encode(message)), _JSON + extra)

    def _headers(self, request: Request, reply: Reply) -> HeaderList:
        message: Any = reply.message
        extra: HeaderList = []
        if self._has_version:
            extra.append((b"etag", _tag(message).encode()))
        if self._has_location:
            extra.append((b"location", f"{self._place or request.path}/{message.id}".encode()))
        if reply.replayed:
            extra.append(_REPLAYED)
        return extra


def _tag(message: Any) -> str:
    return f'"{message.version}"'
