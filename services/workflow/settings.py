"""Settings of the workflow service."""

from pathlib import Path

from pydantic import Field

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Beside those of every service."""

    ops_address: str = Field(description="host:port (or a gRPC name) of the ops service.")
    agent_runtime_address: str = Field(description="host:port (or a gRPC name) of the agent-runtime service.")

    audit_key_file: Path = Field(description="Ed25519 private key (PEM) that signs the audit trail.")

    @property
    def addresses(self) -> dict[str, str]:
        return {**super().addresses, "ops": self.ops_address, "agent-runtime": self.agent_runtime_address}
