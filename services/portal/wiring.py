"""What the portal service consists of."""

from collections.abc import Mapping

from kit.rpc import Handler, bind_service
from kit.wiring import Foundation, Wire, Wiring
from services.portal import views
from services.portal.actions.handlers import ActionHandlers
from services.portal.invites.handlers import InviteHandlers
from services.portal.ops_client import OpsClient
from services.portal.payments.providers import ManualTransfer, Provider
from services.portal.payments.stripe_events import StripeEventHandlers
from services.portal.payments.stripe_provider import API, StripePayments
from services.portal.sessions.handlers import SessionHandlers
from services.portal.settings import Settings

NAME = "portal"


def handlers(foundation: Foundation, *, stripe_api: str = API) -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path. It keeps invites and sessions; all else is ops's."""
    ops, settings = OpsClient(foundation.services), foundation.settings
    # The first one is taken where none is named.
    providers: tuple[Provider, ...] = (
        ManualTransfer(settings),
        StripePayments(settings, foundation.secrets.get, api_base=stripe_api),
    )
    actions = ActionHandlers(ops, {each.name: each for each in providers})
    return {
        **bind_service(NAME, "InviteService", InviteHandlers(ops)),
        **bind_service(NAME, "SessionService", SessionHandlers(ops, foundation.tokens, settings)),
        **views.handlers(NAME, ops),
        **bind_service(NAME, "ActionService", actions),
        **bind_service(NAME, "StripeService", StripeEventHandlers(ops)),
    }


def wire(settings: Settings) -> Wire:
    """What `python -m services.portal` serves."""

    def put_together(foundation: Foundation) -> Wiring:
        return Wiring(handlers=handlers(foundation, stripe_api=settings.stripe_api_base))

    return put_together
