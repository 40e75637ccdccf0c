"""Keeps a thread from reaching addresses that it should not (server-side request forgery), whatever library it uses.

Where messages go is named by those who administer a workspace, and Apprise has a hundred ways to get there, each with a
client of its own. What all of them do is connect a socket; so within `only_outside()` the thread's sockets go to
addresses that may be reached and nowhere else, for redirects as well, and whoever has looked the address up.
"""

import errno
import functools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kit.outbound import refusal

_thread = threading.local()


@contextmanager
def only_outside(*, internal: bool) -> Iterator[None]:
    """`internal`: whether loopback and private networks may be reached too. For this thread, until the block ends."""
    _thread.internal = internal
    try:
        yield
    finally:
        del _thread.internal


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of sockets whose last argument is an address. What is no bare one, a name or a path, is refused too."""

    @functools.wraps(method)
    def connect(itself: socket.socket, *arguments: Any) -> Any:
        internal = getattr(_thread, "internal", None)
        if internal is not None:
            address = arguments[-1]
            host = str(address[0]) if isinstance(address, tuple) else ""
            if reason := refusal(host, internal=internal):
                raise PermissionError(errno.EACCES, reason)
        return method(itself, *arguments)

    return connect


for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
