"""What the portal service consists of."""

from kit.rpc import bind_service
from kit.wiring import Foundation, Wiring
from services.portal import views
from services.portal.actions.handlers import ActionHandlers
from services.portal.invites.handlers import InviteHandlers
from services.portal.ops_client import OpsClient
from services.portal.payments.providers import providers
from services.portal.sessions.handlers import SessionHandlers

NAME = "portal"


def wire(foundation: Foundation) -> Wiring:
    """What `python -m services.portal` serves. It keeps invites and sessions; all else is ops's."""
    ops = OpsClient(foundation.services)
    sessions = SessionHandlers(ops, foundation.tokens, foundation.settings)
    actions = ActionHandlers(ops, providers(foundation.settings))
    return Wiring(
        handlers={
            **bind_service(NAME, "InviteService", InviteHandlers(ops)),
            **bind_service(NAME, "SessionService", sessions),
            **views.handlers(NAME, ops),
            **bind_service(NAME, "ActionService", actions),
        }
    )
