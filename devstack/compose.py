"""The secrets and variables of the platform on Docker Compose: made once, in a folder that only its owner may enter.

Everything is kept as it is when made again, so that running this twice changes nothing.
"""

import secrets
from pathlib import Path
from urllib.parse import quote

from devstack.keys import ensure_secrets
from devstack.layout import GATEWAY, SERVICES, Layout, module
from devstack.tokens import ISSUER

POSTGRES_ADDRESS = "postgres:5432"

_SETTINGS = f"""\
# What one may change for Docker Compose; docs/deploy-with-compose.md says more.
COMPOSE_PROJECT_NAME=opsfield

# The gateway, as the world reaches it.
OPSFIELD_BIND=127.0.0.1
OPSFIELD_PORT=8080

# Who issues bearer tokens. `development` takes what `make token` makes; in `production` set JWKS_URL and JWT_ISSUER to
# those of your identity provider, and take JWT_DEV_SECRET out of .compose/env/gateway.env.
ENVIRONMENT=development
JWT_ISSUER={ISSUER}
JWKS_URL=

# Metrics and traces, with Prometheus and Grafana. Without them empty both.
COMPOSE_PROFILES=observability
OTEL_EXPORTER_OTLP_ENDPOINT=http://otel-collector:4317
"""


def prepare(folder: Path, settings: Path | None = None) -> None:
    """Make what is missing: keys and passwords in `folder`, the variables of each container in `folder`/env, and
    `settings` (Compose's .env) for what a person changes. The overlay `dev` of k8s/ has such a folder of its own.
    Raises StackError where that is not possible."""
    layout = Layout(folder)
    layout.create()
    # The folder keeps others out; inside a container each file has to be readable for its user without rights.
    layout.data.chmod(0o700)
    ensure_secrets(layout)
    for path in (layout.data / "postgres-password", layout.data / "grafana-password"):
        _once(path, secrets.token_urlsafe(32))
    admin_password = (layout.data / "postgres-password").read_text()
    folder = layout.data / "env"
    folder.mkdir(exist_ok=True)
    for service in SERVICES:
        _write_service(folder, service, admin_password)
    _once(folder / f"{GATEWAY}.env", f"JWT_DEV_SECRET={layout.jwt_secret.read_text()}\n")
    for path in (*layout.keys.iterdir(), layout.data / "postgres-password", layout.data / "grafana-password"):
        path.chmod(0o444)
    if settings:
        _once(settings, _SETTINGS)


def _write_service(folder: Path, service: str, admin_password: str) -> None:
    """Two files: what the service may know, and what the job may that prepares its database."""
    own, job = folder / f"{service}.env", folder / f"{service}-database.env"
    if own.exists() and job.exists():
        return
    passwords = {role: secrets.token_urlsafe(32) for role in ("owner", "app", "relay")}
    urls = {role: _url(f"{module(service)}_{role}", passwords[role], module(service)) for role in passwords}
    _write(
        job,
        {
            "DATABASE_ADMIN_URL": _url("postgres", admin_password, "postgres"),
            "DATABASE_OWNER_URL": urls["owner"],
            **{f"{role.upper()}_PASSWORD": password for role, password in passwords.items()},
        },
    )
    _write(own, {"DATABASE_URL": urls["app"], "DATABASE_RELAY_URL": urls["relay"]})


def _url(user: str, password: str, database: str) -> str:
    return f"postgresql://{user}:{quote(password, safe='')}@{POSTGRES_ADDRESS}/{database}"


def _write(path: Path, variables: dict[str, str]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))


def _once(path: Path, text: str) -> None:
    if not path.exists():
        path.write_text(text)
