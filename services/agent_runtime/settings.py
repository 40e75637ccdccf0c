"""Settings of the agent-runtime service."""

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Nothing of its own yet."""
