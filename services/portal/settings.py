"""Settings of the portal service."""

from pydantic import Field

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Beside those of every service."""

    ops_address: str = Field(description="host:port (or a gRPC name) of the ops service.")

    stripe_api_base: str = Field("https://api.stripe.com", description="Where Stripe's API is.")

    @property
    def addresses(self) -> dict[str, str]:
        return {**super().addresses, "ops": self.ops_address}
