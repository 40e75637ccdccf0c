"""What the person who runs the local platform can set in the environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from devstack.broker import Kind
from devstack.layout import REPOSITORY


class DevstackSettings(BaseSettings):
    """The environment of `python -m devstack`."""

    opsfield_host: str = Field("127.0.0.1", description="Address on which the gateway listens.")
    opsfield_port: int = Field(8080, ge=0, le=65535, description="Port of the gateway; 0 takes a free one.")
    kafka: Kind = Field("embedded", description="`apache` for Apache Kafka, which needs Java and Maven.")
    opsfield_data: Path = Field(REPOSITORY / ".devstack", description="Folder of the databases, keys and logs.")
