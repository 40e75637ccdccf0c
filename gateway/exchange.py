"""One HTTP exchange as the gateway sees it: a request that came in, the answer that goes out."""

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from kit.identity import Principal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
HeaderList = list[tuple[bytes, bytes]]

ANONYMOUS = Principal(subject="anonymous")
CLOSE = (b"connection", b"close")
"""The header of an answer to a request whose body is not read to its end: the connection cannot carry another."""


@dataclass(slots=True)
class Request:
    """`headers` are those the gateway reads, by lower-case name; `path_values` the texts of the path's parameters;
    `holds` is what it holds until its answer is out."""

    method: str
    path: str
    query: bytes
    client: str
    receive: Receive
    correlation_id: str
    headers: dict[bytes, str] = field(default_factory=dict)
    path_values: dict[str, str] = field(default_factory=dict)
    principal: Principal = ANONYMOUS
    # The path's template, once it is known that there is one.
    route: str = ""
    # The header that must sign the body, where no token is asked for.
    signed_by: str = ""
    # Whether it leaves an audit record: what does not is routine, be it batches of telemetry, hundreds a second.
    is_audited: bool = False
    holds: ExitStack = field(default_factory=ExitStack)


@dataclass(slots=True)
class Response:
    """`body` is whole; its length is added when it is sent."""

    status: int
    body: bytes
    headers: HeaderList


Handler = Callable[[Request], Awaitable[Response]]
