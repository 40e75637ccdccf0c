"""Settings of the ops service."""

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Nothing of its own yet."""
