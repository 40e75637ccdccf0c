"""What the platform service consists of."""

from collections.abc import Mapping

from kit.rpc import Handler, bind_service
from kit.wiring import Foundation, Wire, Wiring
from services.platform.secrets.envelope import Envelopes
from services.platform.secrets.handlers import SecretHandlers
from services.platform.secrets.key_encryption import KeyEncryption, LocalKeys
from services.platform.setting_versions.handlers import SettingsHandlers
from services.platform.settings import Settings

NAME = "platform"


def key_encryption(settings: Settings) -> KeyEncryption:
    """Where the key-encryption keys are. Raises ValueError and OSError when they cannot be read."""
    if settings.secrets_kek is not None:
        return LocalKeys(settings.secrets_kek.get_secret_value)
    assert settings.secrets_kek_file is not None
    return LocalKeys.from_file(settings.secrets_kek_file)


def handlers(keys: KeyEncryption) -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    return {
        **bind_service(NAME, "SettingsService", SettingsHandlers()),
        **bind_service(NAME, "SecretService", SecretHandlers(Envelopes(keys))),
    }


def wire(settings: Settings) -> Wire:
    """What `python -m services.platform` serves."""

    def put_together(foundation: Foundation) -> Wiring:
        del foundation
        return Wiring(handlers=handlers(key_encryption(settings)))

    return put_together
