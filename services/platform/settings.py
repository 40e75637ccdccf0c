"""Settings of the platform service."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Where the keys come from that encrypt the data keys of secrets: a line each, `<id> <32 bytes in base64>`, the
    first is the current one."""

    secrets_kek: SecretStr | None = Field(None, description="The key-encryption keys themselves.")
    secrets_kek_file: Path | None = Field(None, description="A file that holds the key-encryption keys.")

    @model_validator(mode="after")
    def _know_the_keys(self) -> Self:
        if (self.secrets_kek is None) == (self.secrets_kek_file is None):
            raise ValueError("set one of SECRETS_KEK and SECRETS_KEK_FILE")
        return self
