"""Settings of the integrations service."""

from pydantic import Field

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Beside those of every service."""

    github_webhook_enabled: bool = Field(
        True, description="Whether GitHub's deliveries are taken, as soon as the secret github.webhook is set."
    )
    notifications_reach_inside: bool | None = Field(
        None,
        description="Whether messages may go to loopback and private networks. Default: everywhere but in production.",
    )
    notification_seconds: float = Field(10, ge=1, le=30, description="How long one message may take.")

    @property
    def reaches_inside(self) -> bool:
        """Whether messages may go to loopback and private networks."""
        if self.notifications_reach_inside is None:
            return self.environment != "production"
        return self.notifications_reach_inside
