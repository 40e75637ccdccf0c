"""The settings of the gateway, from its environment, checked at start. The only file here that reads it."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, field_validator, model_validator
from pydantic_settings import NoDecode

from kit.bearer_tokens import ISSUERS
from kit.contract import SERVICES
from kit.settings import ProcessSettings

_SECRET_BYTES = 32


def address_variable(service: str) -> str:
    """`agent-runtime` is found at AGENT_RUNTIME_ADDRESS."""
    return f"{service.replace('-', '_').upper()}_ADDRESS"


def _addresses() -> dict[str, str]:
    return {service: os.environ.get(address_variable(service), "") for service in SERVICES}


class Settings(ProcessSettings):
    """What the gateway needs."""

    opsfield_host: str = Field("127.0.0.1", description="Address to listen on.")
    opsfield_port: int = Field(8080, ge=0, le=65535, description="Port to listen on.")
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        (), description="Addresses and networks, comma separated, whose X-Forwarded-For tells who asks."
    )
    request_timeout_seconds: float = Field(30, gt=0, description="How long a service may take to answer.")
    max_body_bytes: int = Field(1024 * 1024, gt=0, description="Largest request body, of those read as JSON.")
    raw_body_budget_bytes: int = Field(
        64 * 1024 * 1024, gt=0, description="What raw bodies (telemetry, say) may hold at once; above it 429."
    )
    rate_limit_per_minute: int = Field(6000, ge=0, description="Requests of one caller in one workspace; 0: no limit.")
    grace_seconds: int = Field(
        35, gt=0, description="How long requests in flight may take to finish at shutdown: longer than a service may."
    )

    auth_mode: Literal["jwt", "disabled"] = Field("jwt", description="`disabled`: everyone is msp_admin everywhere.")
    jwks_url: str | None = Field(None, description="Where the token issuer publishes its keys (RFC 7517).")
    jwt_dev_secret: str | None = Field(None, description="Shared secret for HS256 tokens, in development only.")
    jwt_issuer: str = Field("opsfield", description="The `iss` that tokens must have.")
    jwt_audience: str = Field("opsfield", description="The `aud` that tokens must have.")

    internal_key_file: Path = Field(description="Own Ed25519 private key (PEM), which signs who is asking.")
    internal_trust_file: Path = Field(description="JWKS of our services, some of which issue bearer tokens.")
    addresses: dict[str, str] = Field(
        default_factory=_addresses,
        validate_default=True,
        description="host:port of each service, from OPS_ADDRESS, AGENT_RUNTIME_ADDRESS, ….",
    )

    @field_validator("addresses")
    @classmethod
    def _know_every_service(cls, addresses: dict[str, str]) -> dict[str, str]:
        if missing := [address_variable(service) for service in SERVICES if not addresses.get(service)]:
            raise ValueError(f"the gateway needs the address (host:port) of every service: set {', '.join(missing)}")
        return addresses

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, proxies: Any) -> Any:
        return [each.strip() for each in proxies.split(",")] if isinstance(proxies, str) else proxies

    @field_validator("trusted_proxies")
    @classmethod
    def _do_not_believe_everybody(cls, proxies: tuple[IPvAnyNetwork, ...]) -> tuple[IPvAnyNetwork, ...]:
        if any(each.prefixlen == 0 for each in proxies):
            raise ValueError("a network of all addresses would let everybody say where they come from")
        return proxies

    @model_validator(mode="after")
    def _refuse_what_is_unsafe(self) -> Self:
        if self.environment == "production":
            self._refuse_what_only_suits_a_laptop()
        if self.jwt_dev_secret and len(self.jwt_dev_secret.encode()) < _SECRET_BYTES:
            raise ValueError(f"JWT_DEV_SECRET must have at least {_SECRET_BYTES} bytes")
        if self.jwt_issuer.startswith(ISSUERS):
            raise ValueError(f"JWT_ISSUER must not begin with {ISSUERS}: our own services' tokens do")
        if self.auth_mode == "jwt" and not self.jwks_url and not self.jwt_dev_secret:
            raise ValueError("AUTH_MODE=jwt needs JWKS_URL, or JWT_DEV_SECRET in development")
        return self

    def _refuse_what_only_suits_a_laptop(self) -> None:
        if self.auth_mode == "disabled":
            raise ValueError("AUTH_MODE=disabled is refused when ENVIRONMENT=production")
        if self.jwt_dev_secret:
            raise ValueError("JWT_DEV_SECRET is refused when ENVIRONMENT=production")
        if self.jwks_url and urlsplit(self.jwks_url).scheme != "https":
            raise ValueError("JWKS_URL must be an https URL when ENVIRONMENT=production")
