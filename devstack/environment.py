"""The environment variables of each program of the local platform."""

import os
import sys
from collections.abc import Mapping

from devstack.layout import GATEWAY, INTEGRATIONS, PLATFORM, REPOSITORY, SERVICES, WORKFLOW, Layout, module
from devstack.tokens import AUDIENCE, ISSUER, read_secret

HOST = "127.0.0.1"
"""Where the services listen: on loopback only, whatever the gateway does."""


def base() -> dict[str, str]:
    """What every Python program gets: the caller's environment, and where to find the code."""
    path = os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "gen")))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def of_service(
    name: str,
    layout: Layout,
    listen: str,
    addresses: Mapping[str, str],
    database_url: str,
    database_relay_url: str,
    kafka: Mapping[str, str],
) -> dict[str, str]:
    """The environment of one service, by its name on the wire; `addresses` are those of all services, `kafka` is how
    it is reached."""
    own = {
        INTEGRATIONS: {"ARTIFACTS_URL": layout.artifacts.as_uri()},
        PLATFORM: {"SECRETS_KEK_FILE": str(layout.key_encryption_keys)},
        WORKFLOW: {"AUDIT_KEY_FILE": str(layout.audit_key)},
    }
    return {
        **base(),
        **_common(name, layout),
        **own.get(name, {}),
        "GRPC_LISTEN": listen,
        **_addresses(addresses),
        "DATABASE_URL": database_url,
        "DATABASE_RELAY_URL": database_relay_url,
        **kafka,
    }


def of_gateway(layout: Layout, host: str, port: int, addresses: Mapping[str, str]) -> dict[str, str]:
    """The environment of the gateway, which finds each service at its address."""
    return {
        **base(),
        **_common(GATEWAY, layout),
        "OPSFIELD_HOST": host,
        "OPSFIELD_PORT": str(port),
        "AUTH_MODE": "jwt",
        "JWT_DEV_SECRET": read_secret(layout),
        "JWT_ISSUER": ISSUER,
        **_addresses(addresses),
    }


def command(name: str) -> list[str]:
    """How to start a service or the gateway."""
    return [sys.executable, "-m", GATEWAY if name == GATEWAY else f"services.{module(name)}"]


def _addresses(addresses: Mapping[str, str]) -> dict[str, str]:
    """Where each service is found, by whoever calls it."""
    return {f"{module(name).upper()}_ADDRESS": addresses[name] for name in SERVICES}


def _common(name: str, layout: Layout) -> dict[str, str]:
    return {
        "ENVIRONMENT": "development",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "info"),
        "INTERNAL_KEY_FILE": str(layout.key(name)),
        "INTERNAL_TRUST_FILE": str(layout.trust),
        "JWT_AUDIENCE": AUDIENCE,
    }
