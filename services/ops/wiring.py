"""What the ops service consists of."""

from collections.abc import Mapping

from kit.live_settings import SettingsReader
from kit.resources.handlers import ResourceHandlers
from kit.rpc import Handler, bind_service
from kit.wiring import Foundation, Wiring
from services.ops.billing.contracts.handlers import ContractHandlers
from services.ops.billing.contracts.kind import CONTRACTS
from services.ops.billing.invoices.handlers import InvoiceHandlers
from services.ops.billing.invoices.kind import INVOICES
from services.ops.billing.payments.handlers import PaymentHandlers
from services.ops.billing.payments.kind import PAYMENTS
from services.ops.billing.quotes.handlers import QuoteHandlers
from services.ops.billing.quotes.kind import QUOTES
from services.ops.billing.sweep import billing_sweep
from services.ops.bulk.handlers import BulkHandlers
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
from services.ops.monitoring.alerts.handlers import AlertHandlers
from services.ops.monitoring.alerts.kind import ALERTS
from services.ops.monitoring.consumers import subscription as telemetry
from services.ops.monitoring.pipelines import subscription as pipelines
from services.ops.portal.directory import PortalDirectoryHandlers, PortalKnowledgeHandlers
from services.ops.portal.invoices import PortalInvoiceHandlers
from services.ops.portal.quotes import PortalQuoteHandlers
from services.ops.portal.summary import PortalSummaryHandlers
from services.ops.portal.tickets import PortalTicketHandlers
from services.ops.service_desk.incidents.handlers import IncidentHandlers
from services.ops.service_desk.incidents.kind import INCIDENTS
from services.ops.service_desk.sla.breaches import BreachSweep
from services.ops.service_desk.sla.handlers import TicketSlaHandlers
from services.ops.service_desk.sla_policies.handlers import SlaPolicyHandlers
from services.ops.service_desk.sla_policies.kind import SLA_POLICIES
from services.ops.service_desk.ticket_comments.handlers import TicketCommentHandlers
from services.ops.service_desk.tickets.handlers import TicketHandlers
from services.ops.service_desk.tickets.kind import TICKETS
from services.ops.service_desk.time_entries.handlers import TimeEntryHandlers
from services.ops.service_desk.time_entries.kind import TIME_ENTRIES
from services.ops.summary.handlers import SummaryHandlers

NAME = "ops"

DIRECTORY = (CLIENTS, SITES, CONTACTS, ASSETS)
KNOWLEDGE = (RUNBOOKS, ARTICLES)
SERVICE_DESK = (SLA_POLICIES, TICKETS, TIME_ENTRIES, INCIDENTS)
BILLING = (CONTRACTS, QUOTES, INVOICES, PAYMENTS)
KINDS = (*DIRECTORY, *KNOWLEDGE, CHANGES, *SERVICE_DESK, ALERTS, *BILLING)


def handlers(settings: SettingsReader) -> Mapping[str, Handler]:
    """Handlers of its rpcs, by gRPC path."""
    tickets = TicketHandlers(TICKETS, KINDS, settings)
    invoices = InvoiceHandlers(INVOICES, KINDS)
    quotes = QuoteHandlers(QUOTES, KINDS, invoices)
    payments = PaymentHandlers(PAYMENTS, KINDS, invoices)
    kinds: tuple[ResourceHandlers, ...] = (
        ResourceHandlers(CLIENTS, KINDS),
        PrimaryHandlers(SITES, KINDS),
        PrimaryHandlers(CONTACTS, KINDS),
        AssetHandlers(ASSETS, KINDS),
        PublishingHandlers(RUNBOOKS, KINDS, runbook_rules.publish),
        PublishingHandlers(ARTICLES, KINDS, article_rules.publish),
        ChangeHandlers(CHANGES, KINDS),
        SlaPolicyHandlers(SLA_POLICIES, KINDS),
        tickets,
        TimeEntryHandlers(TIME_ENTRIES, KINDS, tickets),
        IncidentHandlers(INCIDENTS, KINDS),
        AlertHandlers(ALERTS, KINDS, tickets),
        ContractHandlers(CONTRACTS, KINDS),
        quotes,
        invoices,
        payments,
    )
    return {
        **{path: handler for each in kinds for path, handler in each.by_path().items()},
        **bind_service(NAME, "TicketCommentService", TicketCommentHandlers(tickets)),
        **bind_service(NAME, "TicketSlaService", TicketSlaHandlers()),
        **bind_service(NAME, "BulkService", BulkHandlers({each.kind.name: each for each in kinds})),
        **bind_service(NAME, "SummaryService", SummaryHandlers()),
        **bind_service(NAME, "PortalDirectoryService", PortalDirectoryHandlers()),
        **bind_service(NAME, "PortalKnowledgeService", PortalKnowledgeHandlers()),
        **bind_service(NAME, "PortalTicketService", PortalTicketHandlers(tickets)),
        **bind_service(NAME, "PortalQuoteService", PortalQuoteHandlers(quotes)),
        **bind_service(NAME, "PortalInvoiceService", PortalInvoiceHandlers(invoices, payments)),
        **bind_service(NAME, "PortalSummaryService", PortalSummaryHandlers()),
    }


def wire(foundation: Foundation) -> Wiring:
    """What `python -m services.ops` serves."""
    breaches = BreachSweep(foundation.database, foundation.relay_url)
    billing = billing_sweep(foundation.database, foundation.relay_url)
    return Wiring(
        handlers=handlers(foundation.settings),
        subscriptions=(telemetry(KINDS, foundation.settings), pipelines(KINDS, foundation.settings)),
        loops=(breaches.run, billing.run),
    )
