"""The environment of the two programs that prepare a database: `kit.bootstrap` and `kit.migrate`."""

from pydantic import Field
from pydantic_settings import BaseSettings


class MigrateSettings(BaseSettings):
    """What `python -m kit.migrate` reads."""

    database_owner_url: str = Field(description="The service's database, as the role that owns it.")


class BootstrapSettings(BaseSettings):
    """What `python -m kit.bootstrap` reads."""

    database_admin_url: str = Field("", description="Any database of the server, as a superuser; or --admin-url.")
    owner_password: str = Field(description="Password to give to the role that runs migrations.")
    app_password: str = Field(description="Password to give to the role that the service logs in as.")
    relay_password: str = Field(description="Password to give to the role that the outbox relay logs in as.")
