"""Names, places and ports of the local platform."""

import random
import socket
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

SERVICES = ("portal", "ops", "workflow", "agent-runtime", "telemetry", "integrations", "platform")
"""The services by their names on the wire; in Python and Postgres a dash is an underscore."""

INTEGRATIONS = "integrations"
PLATFORM = "platform"
WORKFLOW = "workflow"
GATEWAY = "gateway"
POSTGRES = "postgres"
KAFKA = "kafka"

# Below the range from which the system takes ports for outgoing connections: a port chosen here stays free until, and
# after a crash of, the program that it is for.
PORTS = range(15000, 32000)
_RESERVED = Path(tempfile.gettempdir()) / "opsfield-ports"
_RESERVED_SECONDS = 60


class StackError(Exception):
    """Something that the person at the keyboard can mend; its text is the one sentence to show."""


class Layout:
    """Where everything stands inside one data folder. Paths are absolute."""

    def __init__(self, data: Path) -> None:
        self.data = data.expanduser().absolute()
        self.lock = self.data / "lock"
        self.logs = self.data / "logs"
        self.keys = self.data / "keys"
        self.trust = self.keys / "trust.json"
        self.key_encryption_keys = self.keys / "key-encryption-keys"
        self.audit_key = self.keys / "audit.pem"
        self.jwt_secret = self.data / "jwt-dev-secret"
        self.database_password = self.data / "database-password"
        self.database = self.data / "postgres"
        self.artifacts = self.data / "artifacts"

    def create(self) -> None:
        """Make the folders. Raises StackError where that is not possible."""
        try:
            for folder in (self.data, self.logs, self.keys):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StackError(f"The data folder {self.data} cannot be made: {error.strerror}.") from error

    def key(self, name: str) -> Path:
        """The signing key of one program."""
        return self.keys / f"{name}.pem"

    def log(self, name: str) -> Path:
        """The log of one program since its stack started."""
        return self.logs / f"{name.replace('/', '-')}.log"


def instances(program: str, replicas: int) -> list[str]:
    """The names of a program's replicas: `ops`, `ops/2`, …"""
    return [program, *(f"{program}/{number}" for number in range(2, replicas + 1))]


def program_of(instance: str) -> str:
    """Whose replica that is: `ops/2` is one of `ops`."""
    return instance.partition("/")[0]


def module(service: str) -> str:
    """The Python and Postgres name of a service: `agent-runtime` is `agent_runtime`."""
    return service.replace("-", "_")


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
