"""Settings of the integrations service."""

from pydantic import Field

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Beside those of every service."""

    github_webhook_enabled: bool = Field(
        True, description="Whether GitHub's deliveries are taken, as soon as the secret github.webhook is set."
    )
