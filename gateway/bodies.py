"""Takes a request's body in: its type, its size, its time."""

import asyncio

from gateway import headers
from gateway.exchange import Request
from kit.errors import Malformed, TooLarge, UnsupportedMediaType

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


class BodyReader:
    """`types`: the media types taken; `most_bytes`: the largest body; `seconds`: how long it may take to arrive."""

    def __init__(self, types: tuple[str, ...], most_bytes: int, seconds: float) -> None:
        self._types = types
        self._most_bytes = most_bytes
        self._seconds = seconds

    async def read(self, request: Request) -> bytes:
        """The whole body. Raises TooLarge, UnsupportedMediaType, or Malformed when it does not arrive."""
        self._check_length(request.headers.get(headers.CONTENT_LENGTH))
        self._check_type(request.headers)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._receive(request)
        except TimeoutError as error:
            raise Malformed("The body did not arrive in time.", code="body-timeout") from error

    async def _receive(self, request: Request) -> bytes:
        body, more = b"", True
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise Malformed("The body is incomplete.", code="body-incomplete")
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most_bytes:
                raise self._too_large()
        return body

    def _check_length(self, length: str | None) -> None:
        if length and length.isdecimal() and (len(length) > 18 or int(length) > self._most_bytes):
            raise self._too_large()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body may have at most {self._most_bytes} bytes.")

    def _check_type(self, given: dict[bytes, str]) -> None:
        if given.get(headers.CONTENT_ENCODING, "identity").strip().lower() != "identity":
            raise UnsupportedMediaType("The body must not be compressed.", code="unsupported-content-encoding")
        content_type = given.get(headers.CONTENT_TYPE, "")
        if content_type in self._types:
            return
        media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
        if media_type not in self._types:
            raise UnsupportedMediaType(f"Content-Type must be {' or '.join(self._types)}.")
        if any(parameter.replace('"', "") not in ("charset=utf-8", "") for parameter in parameters):
            raise UnsupportedMediaType("The only charset is utf-8.", code="unsupported-charset")
