"""Settings of the agent-runtime service."""

from typing import Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Beside those of every service."""

    integrations_address: str = Field(description="host:port (or a gRPC name) of the integrations service.")
    ops_address: str = Field(description="The same of the ops service, which reasoners read.")
    portal_address: str = Field(description="The same of the portal service.")
    telemetry_address: str = Field(description="The same of the telemetry service.")
    workflow_address: str = Field(description="The same of the workflow service.")

    workers: int = Field(2, ge=1, le=64, description="Worker processes: how many reasoners run at a time.")
    worker_memory_mb: int = Field(512, ge=128, le=65536, description="How much memory a worker may take, in MiB.")
    most_running_per_agent: int = Field(16, ge=1, le=1000, description="Runs of one agent at a time.")
    lease_seconds: float = Field(15, ge=2, le=300, description="Silence of a replica after which its jobs are taken.")

    most_remote_runs: int = Field(64, ge=1, le=10_000, description="Runs at remote agents at a time, of this replica.")
    agent_silence_seconds: float = Field(
        15, ge=2, le=3600, description="Silence after which a remote agent is not reachable, and its runs are lost."
    )
    remote_timeout_seconds: int = Field(
        3600, ge=1, le=86_400, description="How long one try at a remote agent may take."
    )
    agents_in_private_networks: bool | None = Field(
        None, description="Whether remote agents may have loopback and private addresses. Default: not in production."
    )

    agentfield_url: HttpUrl | None = Field(
        None, description="AgentField's control plane, where it is an engine too: http(s)://host:port."
    )
    agentfield_api_key: SecretStr | None = Field(None, description="What it wants in X-API-Key.")
    agentfield_callback_url: HttpUrl | None = Field(
        None, description="Our gateway, as that control plane reaches it; none: it is asked again and again instead."
    )
    agentfield_most_running: int = Field(32, ge=1, le=1000, description="Executions there at a time, per replica.")
    agentfield_timeout_seconds: int = Field(1800, ge=1, le=86400, description="How long one there may take.")

    llm_base_url: str = Field(
        "",
        description="An OpenAI-compatible endpoint, up to `/v1`, that reasoners ask where a workspace wants it "
        "(its setting `automation.askModel`). None: they reason alone.",
    )
    llm_model: str = Field("", description="The name of the model there.")
    llm_api_key: SecretStr = Field(SecretStr(""), description="What the endpoint asks for, if anything.")
    llm_timeout_seconds: float = Field(15, ge=1, le=60, description="How long one answer of the model may take.")

    test_reasoners: str = Field("", description="For tests: a module whose REASONERS are offered as well.")

    @property
    def reaches_private_networks(self) -> bool:
        return self.unless_in_production(self.agents_in_private_networks)

    @property
    def addresses(self) -> dict[str, str]:
        return {
            **super().addresses,
            "integrations": self.integrations_address,
            "ops": self.ops_address,
            "portal": self.portal_address,
            "telemetry": self.telemetry_address,
            "workflow": self.workflow_address,
        }

    @field_validator("agentfield_url", "agentfield_api_key", "agentfield_callback_url", mode="before")
    @classmethod
    def _take_nothing_for_none(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _name_the_model(self) -> Self:
        if self.llm_base_url and not self.llm_model:
            raise ValueError("LLM_MODEL must name the model at LLM_BASE_URL")
        return self

    @model_validator(mode="after")
    def _refuse_test_reasoners_in_production(self) -> Self:
        if self.test_reasoners and self.environment == "production":
            raise ValueError("TEST_REASONERS is for tests and refused in production")
        return self
