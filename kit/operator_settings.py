"""The environment of the programs that an operator runs beside a service: `kit.replay` and `kit.redrive`. A service's
own environment has all of it."""

from pydantic import Field
from pydantic_settings import BaseSettings


class ReplaySettings(BaseSettings):
    """What `python -m kit.replay` reads."""

    kafka_bootstrap_servers: str = Field(description="host:port[,host:port…] of the Kafka brokers.")


class RedriveSettings(BaseSettings):
    """What `python -m kit.redrive` reads."""

    database_relay_url: str = Field(description="The service's database, as the relay role.")
