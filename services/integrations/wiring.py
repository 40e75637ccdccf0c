"""What the integrations service consists of."""

from collections.abc import Mapping
from dataclasses import dataclass

from kit import contract
from kit.live_settings import SettingsReader
from kit.resources.handlers import ResourceHandlers
from kit.rpc import Handler, bind_service
from kit.secrets import SecretReader
from kit.webhooks import Webhook
from kit.wiring import Foundation, Wire, Wiring
from services.integrations.github.handlers import GithubHandlers
from services.integrations.notifications.consumer import subscription as notifications
from services.integrations.notifications.delivery import Delivery
from services.integrations.notifications.handlers import NotificationHandlers
from services.integrations.notifications.kinds import CHANNELS, RULES
from services.integrations.notifications.sending import Sender
from services.integrations.settings import Settings

NAME = "integrations"
KINDS = (CHANNELS, RULES)


@dataclass(frozen=True)
class Parts:
    """What handlers work with."""

    settings: SettingsReader
    secrets: SecretReader
    sender: Sender


def handlers(parts: Parts) -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    kinds = [ResourceHandlers(kind, KINDS) for kind in KINDS]
    return {
        **{path: handler for each in kinds for path, handler in each.by_path().items()},
        **bind_service(NAME, "GithubService", GithubHandlers(parts.settings)),
        **bind_service(NAME, "NotificationService", NotificationHandlers(parts.secrets, parts.sender)),
    }


def wire(settings: Settings) -> Wire:
    """What `python -m services.integrations` serves."""

    def put_together(foundation: Foundation) -> Wiring:
        sender = Sender(internal=settings.reaches_inside, seconds=settings.notification_seconds)
        delivery = Delivery(foundation.database, foundation.relay_url, foundation.secrets, sender)
        workspace_of = GithubHandlers(foundation.settings).workspace_of
        return Wiring(
            handlers=handlers(Parts(foundation.settings, foundation.secrets, sender)),
            subscriptions=(notifications(),),
            webhooks={_path("TakeGithubWebhook"): Webhook(settings.github_webhook_enabled, workspace_of)},
            loops=tuple(sweep.run for sweep in delivery.sweeps),
        )

    return put_together


def _path(name: str) -> str:
    return next(rpc.path for rpc in contract.owned_by(NAME) if rpc.name == name)
