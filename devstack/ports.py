"""Ports that are free, and stay so for whom they were chosen."""

import random
import socket
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from devstack.layout import StackError

# Below the range from which the system takes ports for outgoing connections: a port chosen here stays free until, and
# after a crash of, the program that it is for.
PORTS = range(15000, 32000)
_RESERVED = Path(tempfile.gettempdir()) / "opsfield-ports"
_RESERVED_SECONDS = 60


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    """Keep it from other platforms that start on this machine at the same time, for a minute."""
    try:
        (_RESERVED / str(port)).touch(exist_ok=False)
    except OSError:
        return False
    return True


def _forget_old_reservations() -> None:
    _RESERVED.mkdir(exist_ok=True)
    with suppress(OSError):
        # Whatever the umask: it is for everybody on this machine.
        _RESERVED.chmod(0o1777)
    for file in _RESERVED.iterdir():
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > _RESERVED_SECONDS:
                file.unlink()


def free_ports(host: str, names: Iterable[str]) -> dict[str, int]:
    """A free port for each name, all different."""
    _forget_old_reservations()
    names = list(names)
    chosen: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(chosen) == len(names):
            break
        if port_is_free(host, port) and _reserve(port):
            chosen.append(port)
    if len(chosen) < len(names):
        raise StackError(f"There are not {len(names)} free ports between {PORTS.start} and {PORTS.stop}.")
    return dict(zip(names, chosen, strict=True))


def given_port(host: str, port: int) -> int:
    """The port that somebody wants. Raises StackError when it is taken."""
    if not port_is_free(host, port):
        raise StackError(
            f"Port {port} of {host} is taken by another program: stop it, or choose another port, "
            f"for example with `OPSFIELD_PORT={port + 1} make run`."
        )
    return port
