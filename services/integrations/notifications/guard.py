"""Keeps a thread from reaching addresses that it should not (server-side request forgery), whatever library it uses.

Where messages go is named by those who administer a workspace, and Apprise has a hundred ways to get there, each with a
client of its own. What all of them do is look a host up; so within `only_outside()` the thread's look-ups give nothing
but addresses that may be reached, for redirects as well. Clients connect to what was looked up, so a name that changes
its address in between gains nothing.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kit.outbound import refusal

_thread = threading.local()
_look_up = socket.getaddrinfo


@contextmanager
def only_outside(*, internal: bool) -> Iterator[None]:
    """`internal`: whether loopback and private networks may be reached too. For this thread, until the block ends."""
    _thread.internal = internal
    try:
        yield
    finally:
        del _thread.internal


def _guarded(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
    found = _look_up(host, port, *arguments, **options)
    internal = getattr(_thread, "internal", None)
    if internal is None:
        return found
    reasons = [refusal(str(each[4][0]), internal=internal) for each in found]
    allowed = [each for each, reason in zip(found, reasons, strict=True) if reason is None]
    if not allowed:
        raise socket.gaierror(socket.EAI_FAIL, next((each for each in reasons if each), f"{host} has no address"))
    return allowed


socket.getaddrinfo = _guarded
