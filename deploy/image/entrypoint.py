#!/opt/opsfield/venv/bin/python
"""What the image starts: becomes the program that it is told the name of.

opsfield ops                one of the services, or the gateway
opsfield bootstrap ops      prepare a service's database (kit/bootstrap.py)
opsfield migrate ops        bring it to the newest schema (kit/migrate.py)
opsfield prepare ops        both
opsfield demo               load the demo workspace of ops; `demo portal`: that of the portal
opsfield replay TOPIC …     send parked events back to their consumer (kit/replay.py)
opsfield redrive …          put a service's failed events back in line (kit/redrive.py)
opsfield rewrap …           bring all secrets under the newest key (services/platform/secrets/rewrap.py)
opsfield health ADDRESS     ask a program whether it serves (kit/probe.py)
"""

import os
import subprocess
import sys
from pathlib import Path

MISTAKE = 2


def main(words: list[str]) -> int:
    """Becomes another program, or returns the exit code."""
    match words:
        case ["prepare", service]:
            return subprocess.call(_python("kit.bootstrap", "--service", service)) or _become("kit.migrate", service)
        case ["bootstrap", service]:
            return _become("kit.bootstrap", "--service", service)
        case ["migrate", service]:
            return _become("kit.migrate", service)
        case ["demo"]:
            return _become("services.ops.demo")
        case ["demo", service]:
            return _become(f"{_module(service)}.demo")
        case ["replay" | "redrive" as program, *arguments]:
            return _become(f"kit.{program}", *arguments)
        case ["rewrap", *arguments]:
            return _become("services.platform.secrets.rewrap", *arguments)
        case ["health", address]:
            return _become("kit.probe", address)
        case ["gateway"]:
            return _become("gateway")
        case [service] if service in _services():
            return _become(_module(service))
    print(f"{(__doc__ or '').strip()}\n\nThe services are {', '.join(_services())}.", file=sys.stderr)
    return MISTAKE


def _services() -> list[str]:
    return sorted(found.parent.name.replace("_", "-") for found in Path("services").glob("*/__main__.py"))


def _module(service: str) -> str:
    return f"services.{service.replace('-', '_')}"


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _become(module: str, *arguments: str) -> int:
    # Not a child: signals reach the program itself.
    command = _python(module, *arguments)
    os.execv(command[0], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
