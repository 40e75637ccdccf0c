"""Settings of the integrations service."""

from pydantic import Field

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Beside those of every service."""

    github_webhook_enabled: bool = Field(
        True, description="Whether GitHub's deliveries are taken, as soon as the secret github.webhook is set."
    )
    notifications_in_private_networks: bool | None = Field(
        None, description="Whether messages may go to loopback and private addresses. Default: not in production."
    )
    notification_seconds: float = Field(10, ge=1, le=30, description="How long one message may take.")

    ops_address: str = Field(description="host:port (or a gRPC name) of the ops service.")
    artifacts_url: str = Field(
        description="Where uploads and what jobs leave are kept: file:///folder, s3://bucket/prefix, memory:///."
    )
    quickbooks_url: str = Field("https://quickbooks.api.intuit.com", description="Where QuickBooks Online's API is.")
    quickbooks_discovery_url: str = Field(
        "https://developer.api.intuit.com/.well-known/openid_configuration",
        description="The document that tells where QuickBooks gives out tokens.",
    )
    xero_url: str = Field("https://api.xero.com/api.xro/2.0", description="Where Xero's accounting API is.")
    xero_token_url: str = Field("https://identity.xero.com/connect/token", description="Where Xero gives out tokens.")
    accounting_seconds: float = Field(30, ge=1, le=120, description="How long books of others may take for an answer.")
    job_slots: int = Field(
        2, ge=1, le=20, description="How many imports, exports and syncs one process runs at a time."
    )
    job_lease_seconds: float = Field(15, ge=1, description="Silence after which a job's worker counts as gone.")
    job_patience_seconds: float = Field(
        300, ge=0, description="How long what a job needs may be away before the job fails."
    )
    job_files_days: int = Field(
        30,
        ge=1,
        le=36500,
        description="For how many days after its end the files of a job are kept: its artifact, and what it read.",
    )

    @property
    def addresses(self) -> dict[str, str]:
        return {**super().addresses, "ops": self.ops_address}

    @property
    def reaches_private_networks(self) -> bool:
        return self.unless_in_production(self.notifications_in_private_networks)
