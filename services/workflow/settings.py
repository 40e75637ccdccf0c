"""Settings of the workflow service."""

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Nothing of its own yet."""
