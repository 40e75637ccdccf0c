"""Every view of the portal. A column that is not named here is seen by nobody outside."""

from opsfield.ops.v1.portal_directory_pb2 import PortalClient
from opsfield.ops.v1.portal_invoices_pb2 import PortalInvoice, PortalPayment
from opsfield.ops.v1.portal_knowledge_pb2 import PortalArticle
from opsfield.ops.v1.portal_quotes_pb2 import PortalQuote
from opsfield.ops.v1.portal_tickets_pb2 import PortalTicket
from services.ops.billing.quotes.kind import QUOTES
from services.ops.portal.view import View
from services.ops.service_desk.tickets.kind import TICKETS

# A PostgreSQL function, since lists have no text of their own.
_TAGS = "array_to_string(tags, chr(10))"

CLIENTS = View(
    message=PortalClient,
    noun="client",
    source="""
    SELECT workspace_id, id, name, status, website, email, phone, billing_address, currency, payment_terms_days,
        created_at, search
    FROM clients WHERE deleted_at IS NULL
    """,
    # The values of the address one by one, as they stand in `search`.
    searched=(
        "name",
        "status::text",
        "website",
        "email",
        "phone",
        "currency",
        "(SELECT string_agg(value, chr(10)) FROM jsonb_each_text(billing_address))",
    ),
)

# What was published is read, not what is being written. The title of `published` is searched, and the index holds it.
ARTICLES = View(
    message=PortalArticle,
    noun="article",
    source="""
    SELECT workspace_id, id, published ->> 'title' AS title, published ->> 'body' AS body, slug,
        visibility AS audience, client_id, category, tags, published_at, created_at, search
    FROM knowledge_articles
    WHERE deleted_at IS NULL AND published IS NOT NULL AND status <> 'archived' AND visibility <> 'internal'
    """,
    searched=("title", "body", "slug", "category", _TAGS),
    nullable=frozenset({"category"}),
)

# Of a merged ticket the resolution is what the staff gave as its reason.
TICKET_ROWS = View(
    message=PortalTicket,
    noun="ticket",
    source="""
    SELECT workspace_id, id, number, subject, description, client_id, status, priority, category, contact_id,
        CASE WHEN merged_into_id IS NULL THEN resolution END AS resolution,
        first_responded_at, resolved_at, closed_at, merged_into_id, created_at, search
    FROM tickets WHERE deleted_at IS NULL
    """,
    searched=(
        f"'{TICKETS.number_prefix}' || number",
        "subject",
        "description",
        "status::text",
        "priority::text",
        "category",
        "resolution",
    ),
    apart=frozenset({"comments"}),
    nullable=frozenset({"category", "resolved_at"}),
    number=TICKETS.written_number,
)

_QUOTE_COLUMNS = """
    currency, title, lines, terms, valid_until, subtotal, discount_total, tax_total, total, monthly_total, yearly_total,
    sent_at, terms_digest, decided_at, accepted_by, decision_reason, superseded_by_id, created_at, search
"""
_LINES = "(SELECT string_agg(line ->> 'description', chr(10)) FROM jsonb_array_elements(lines) AS line)"

QUOTE_ROWS = View(
    message=PortalQuote,
    noun="quote",
    source=f"""
    SELECT workspace_id, id, number, client_id, status, {_QUOTE_COLUMNS}
    FROM quotes WHERE deleted_at IS NULL AND status <> 'draft'
    """,
    searched=(
        f"'{QUOTES.number_prefix}' || number",
        "status::text",
        "title",
        "terms",
        _LINES,
        "currency",
        "accepted_by",
        "decision_reason",
        "total::text",
    ),
    number=QUOTES.written_number,
)

# A draft has no number, nor has one that was voided as a draft. Which time entries a line bills is the provider's.
INVOICE_ROWS = View(
    message=PortalInvoice,
    noun="invoice",
    source="""
    SELECT workspace_id, id, number, client_id, status, currency,
        (SELECT coalesce(jsonb_agg(line - 'time_entry_ids' ORDER BY place), '[]')
            FROM jsonb_array_elements(lines) WITH ORDINALITY AS of_invoice (line, place)) AS lines,
        notes, terms, due_on, void_reason, issued_on, subtotal, discount_total, tax_total, total, amount_paid, balance,
        acknowledged_at, overdue_since, quote_id, period_start, period_end, created_at, search
    FROM invoices WHERE deleted_at IS NULL AND number IS NOT NULL
    """,
    searched=("number", "status::text", "notes", "terms", "void_reason", _LINES, "currency", "total::text"),
)

PAYMENT_ROWS = View(
    message=PortalPayment,
    noun="payment",
    source="""
    SELECT payments.workspace_id, payments.id, invoice_id, invoices.number AS invoice_number, payments.client_id,
        amount, payments.currency, payments.status, method, reference, provider, provider_payment_id, received_on,
        succeeded_at, amount_refunded, payments.created_at
    FROM payments JOIN invoices ON invoices.workspace_id = payments.workspace_id AND invoices.id = invoice_id
    WHERE payments.deleted_at IS NULL
    """,
    searched=(
        "invoice_number",
        "amount::text",
        "currency",
        "status::text",
        "method::text",
        "reference",
        "provider",
    ),
    nullable=frozenset({"received_on"}),
    is_indexed=False,
)
