"""Names and places of the local platform."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

SERVICES = ("portal", "ops", "workflow", "agent-runtime", "telemetry", "integrations", "platform")
"""The services by their names on the wire; in Python and Postgres a dash is an underscore."""

INTEGRATIONS = "integrations"
OPS = "ops"
PLATFORM = "platform"
PORTAL = "portal"
WORKFLOW = "workflow"
GATEWAY = "gateway"
POSTGRES = "postgres"
KAFKA = "kafka"


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
        self.demo_is_loaded = self.database / "demo-is-loaded"
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
