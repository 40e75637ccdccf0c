"""What the integrations service consists of."""

from collections.abc import Mapping

from kit import contract
from kit.live_settings import SettingsReader
from kit.rpc import Handler, bind_service
from kit.webhooks import Webhook
from kit.wiring import Foundation, Wire, Wiring
from services.integrations.github.handlers import GithubHandlers
from services.integrations.settings import Settings

NAME = "integrations"


def handlers(settings: SettingsReader) -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    return {**bind_service(NAME, "GithubService", GithubHandlers(settings))}


def wire(settings: Settings) -> Wire:
    """What `python -m services.integrations` serves."""

    def put_together(foundation: Foundation) -> Wiring:
        workspace_of = GithubHandlers(foundation.settings).workspace_of
        return Wiring(
            handlers=handlers(foundation.settings),
            webhooks={
                _path("TakeGithubWebhook"): Webhook(settings.github_webhook_enabled, workspace_of),
            },
        )

    return put_together


def _path(name: str) -> str:
    return next(rpc.path for rpc in contract.owned_by(NAME) if rpc.name == name)
