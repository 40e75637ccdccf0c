"""The settings of a process, from its environment, checked at start. Nothing else of a service reads it."""

import sys
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import Field, HttpUrl, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Settings = TypeVar("Settings", bound=BaseSettings)


class ProcessSettings(BaseSettings):
    """What every process of the platform needs. A field is the environment variable of the same name in upper case; an
    empty one counts as unset."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    environment: Literal["development", "production"] = Field(
        description="`production` refuses what only suits a laptop."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["console", "json"] | None = Field(None, description="Default: json in production.")

    otel_exporter_otlp_endpoint: str | None = Field(None, description="OTLP/gRPC collector; none: nothing is sent.")
    trace_sample_ratio: float = Field(1.0, ge=0, le=1, description="Share of traces begun here that are recorded.")

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _is_the_url_of_a_collector(cls, endpoint: str | None) -> str | None:
        if endpoint:
            TypeAdapter(HttpUrl).validate_python(endpoint)
        return endpoint

    @property
    def logs_as_json(self) -> bool:
        return (self.log_format or ("json" if self.environment == "production" else "console")) == "json"


class ServiceSettings(ProcessSettings):
    """What every service needs. A service with settings of its own derives from this in its settings.py."""

    grpc_listen: str = Field("127.0.0.1:7000", description="host:port to serve gRPC on.")
    grpc_reflection: bool = Field(False, description="Offer gRPC server reflection (for grpcurl).")
    drain_seconds: float = Field(0, ge=0, description="How long to go on serving after SIGTERM, while not ready.")
    grace_seconds: float = Field(20, gt=0, description="How long calls in flight may take to finish at shutdown.")

    database_url: str = Field(description="PostgreSQL as the service's own role, which row-level security binds.")
    database_relay_url: str = Field(description="PostgreSQL as the relay role, which sees the outbox and nothing else.")
    database_pool_size: int = Field(10, ge=1, le=100, description="Connections that serve requests.")

    kafka_bootstrap_servers: str = Field(description="host:port[,host:port…] of the Kafka brokers.")
    kafka_session_timeout_seconds: float = Field(10, ge=6, description="Silence after which a consumer counts as dead.")
    kafka_fetch_wait_milliseconds: int = Field(
        500, ge=1, le=5000, description="How long a broker may keep a fetch that finds nothing."
    )

    internal_key_file: Path = Field(description="Own Ed25519 private key (PEM), for calls to other services.")
    internal_trust_file: Path = Field(description="JWKS of everyone whose internal tokens are believed.")
    jwt_audience: str = Field("opsfield", description="The `aud` of the bearer tokens it issues: the gateway's.")
    platform_address: str = Field(description="host:port (or a gRPC name) of the platform service.")

    crash_at: str = Field(
        "", description="For fault tests: `point` or `point:n` at whose nth passing the process dies."
    )

    @property
    def addresses(self) -> dict[str, str]:
        """Of the services it calls, by name."""
        return {"platform": self.platform_address}

    def unless_in_production(self, choice: bool | None) -> bool:
        """What was chosen; where nothing was: yes, but in production no."""
        return self.environment != "production" if choice is None else choice

    @model_validator(mode="after")
    def _refuse_faults_in_production(self) -> Self:
        if self.crash_at and self.environment == "production":
            raise ValueError("CRASH_AT is for fault tests and refused in production")
        return self


def read(settings_class: type[Settings]) -> Settings:
    """The settings from the environment; on a mistake one sentence for each on stderr and exit code 2."""
    try:
        return settings_class()
    except ValidationError as error:
        for each in error.errors():
            name = ".".join(str(part) for part in each["loc"]).upper() or "settings"
            print(f"{name}: {each['msg']}", file=sys.stderr)
        sys.exit(2)
