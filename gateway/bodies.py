"""Takes a request's body in: its type, its size, its time."""

import asyncio
import io
from collections.abc import Iterable, Mapping

from gateway import headers
from gateway.exchange import Request
from kit.errors import Malformed, TooLarge, UnsupportedMediaType

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

_NO_ENCODING = frozenset({"", "identity"})


class BodyReader:
    """`types`: the media types taken; `most_bytes`: the largest body; `seconds`: how long it may take to arrive."""

    def __init__(self, types: tuple[str, ...], most_bytes: int, seconds: float) -> None:
        self._types = types
        self._most_bytes = most_bytes
        self._seconds = seconds

    async def read(self, request: Request) -> bytes:
        """The whole body. Raises TooLarge, UnsupportedMediaType, or Malformed when it does not arrive."""
        content_length(request.headers, self._most_bytes)
        self._check_type(request.headers)
        return await receive(request, self._most_bytes, self._seconds)

    def _check_type(self, given: Mapping[bytes, str]) -> None:
        if encoding(given):
            raise UnsupportedMediaType("The body must not be compressed.", code="unsupported-content-encoding")
        if given.get(headers.CONTENT_TYPE) in self._types:
            return
        found, parameters = media_type(given)
        if found not in self._types:
            raise UnsupportedMediaType(f"Content-Type must be {' or '.join(self._types)}.")
        check_charset(parameters)


async def receive(request: Request, most_bytes: int, seconds: float) -> bytes:
    """The body as it comes. Raises TooLarge, or Malformed when it does not come whole or in time."""
    try:
        async with asyncio.timeout(seconds):
            return await _receive(request, most_bytes)
    except TimeoutError as error:
        raise Malformed("The body did not arrive in time.", code="body-timeout") from error


async def _receive(request: Request, most_bytes: int) -> bytes:
    body, more = io.BytesIO(), True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Malformed("The body is incomplete.", code="body-incomplete")
        body.write(message.get("body", b""))
        more = message.get("more_body", False)
        if body.tell() > most_bytes:
            raise _too_large(most_bytes)
    return body.getvalue()


def content_length(given: Mapping[bytes, str], most_bytes: int) -> int:
    """The bytes that the body says it has, or the most it may have. Raises TooLarge."""
    length = given.get(headers.CONTENT_LENGTH)
    if not length or not length.isdecimal():
        return most_bytes
    if len(length) > 18 or int(length) > most_bytes:
        raise _too_large(most_bytes)
    return int(length)


def encoding(given: Mapping[bytes, str]) -> str:
    """The Content-Encoding in lower case; empty for none."""
    found = given.get(headers.CONTENT_ENCODING, "").strip().lower()
    return "" if found in _NO_ENCODING else found


def media_type(given: Mapping[bytes, str]) -> tuple[str, list[str]]:
    """The Content-Type in lower case, and its parameters."""
    found, *parameters = (part.strip().lower() for part in given.get(headers.CONTENT_TYPE, "").split(";"))
    return found, parameters


def check_charset(parameters: Iterable[str]) -> None:
    """Raises UnsupportedMediaType for any parameter but `charset=utf-8`."""
    if any(parameter.replace('"', "") not in ("charset=utf-8", "") for parameter in parameters):
        raise UnsupportedMediaType("The only charset is utf-8.", code="unsupported-charset")


def _too_large(most_bytes: int) -> TooLarge:
    return TooLarge(f"The body may have at most {most_bytes} bytes.")
