"""What the ops service answers and listens to."""

from collections.abc import Mapping

from kit.resources.handlers import ResourceHandlers
from kit.rpc import Handler
from services.ops.change.changes.handlers import ChangeHandlers
from services.ops.change.changes.kind import CHANGES
from services.ops.directory.assets.handlers import AssetHandlers
from services.ops.directory.assets.kind import ASSETS
from services.ops.directory.belonging import PrimaryHandlers
from services.ops.directory.clients.kind import CLIENTS
from services.ops.directory.contacts.kind import CONTACTS
from services.ops.directory.sites.kind import SITES
from services.ops.knowledge.articles import rules as article_rules
from services.ops.knowledge.articles.kind import ARTICLES
from services.ops.knowledge.handlers import PublishingHandlers
from services.ops.knowledge.runbooks import rules as runbook_rules
from services.ops.knowledge.runbooks.kind import RUNBOOKS
from services.ops.service_desk.tickets.handlers import TicketHandlers
from services.ops.service_desk.tickets.kind import TICKETS

NAME = "ops"

KINDS = (CLIENTS, SITES, CONTACTS, ASSETS, RUNBOOKS, ARTICLES, CHANGES, TICKETS)


def handlers() -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    return {
        **ResourceHandlers(CLIENTS, KINDS).by_path(),
        **PrimaryHandlers(SITES, KINDS).by_path(),
        **PrimaryHandlers(CONTACTS, KINDS).by_path(),
        **AssetHandlers(ASSETS, KINDS).by_path(),
        **PublishingHandlers(RUNBOOKS, KINDS, runbook_rules.publish).by_path(),
        **PublishingHandlers(ARTICLES, KINDS, article_rules.publish).by_path(),
        **ChangeHandlers(CHANGES, KINDS).by_path(),
        **TicketHandlers(TICKETS, KINDS).by_path(),
    }
