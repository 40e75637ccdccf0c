"""Every answer that is not a success: application/problem+json (RFC 9457)."""

from urllib.parse import quote

from gateway.exchange import CLOSE, HeaderList, Request, Response
from kit import json_encoding
from kit.errors import Internal, Problem, TooLarge, Unauthenticated

MEDIA_TYPE = "application/problem+json"

_BODY_HEADERS: HeaderList = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]


def unexpected() -> Problem:
    """What a caller is told of an error that nobody foresaw: nothing."""
    return Internal("Something went wrong on our side.")


def response(problem: Problem, request: Request) -> Response:
    """The answer, without the correlation id's header, which every answer gets."""
    content = body(problem, instance=quote(request.path), correlation_id=request.correlation_id)
    return Response(problem.status, content, [*_BODY_HEADERS, *_extra_headers(problem, request)])


def body(problem: Problem, *, instance: str = "", correlation_id: str) -> bytes:
    """The answer's content."""
    return json_encoding.encode(problem.message(instance=instance, correlation_id=correlation_id))


def _extra_headers(problem: Problem, request: Request) -> HeaderList:
    headers: HeaderList = list(getattr(problem, "headers", ()))
    if problem.retry_after is not None:
        headers.append((b"retry-after", str(problem.retry_after).encode()))
    if isinstance(problem, Unauthenticated):
        headers.append((b"www-authenticate", _challenge(request)))
    if isinstance(problem, TooLarge):
        headers.append(CLOSE)
    return headers


def _challenge(request: Request) -> bytes:
    if request.signed_by:
        # No registered scheme fits; RFC 9110, 11.6.1, asks for one.
        return f'HMAC-SHA256 realm="opsfield", header="{request.signed_by}"'.encode()
    # RFC 6750, 3.1: no error code for a request that brought no token at all.
    return b'Bearer realm="opsfield"' + (b', error="invalid_token"' if b"authorization" in request.headers else b"")
