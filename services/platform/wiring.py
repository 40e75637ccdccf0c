"""What the platform service consists of."""

from collections.abc import Mapping

from kit import contract
from kit.rpc import Handler, bind
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
    rpcs = [rpc for rpc in contract.load() if rpc.owner == NAME]

    def of(service: str) -> list[contract.Rpc]:
        return [rpc for rpc in rpcs if rpc.descriptor.containing_service.name == service]

    return {
        **bind(of("SettingsService"), SettingsHandlers()),
        **bind(of("SecretService"), SecretHandlers(Envelopes(keys))),
    }


def wire(settings: Settings) -> Wire:
    """What `python -m services.platform` serves."""

    def put_together(foundation: Foundation) -> Wiring:
        del foundation
        return Wiring(handlers=handlers(key_encryption(settings)))

    return put_together
