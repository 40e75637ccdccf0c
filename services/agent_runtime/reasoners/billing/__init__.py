"""Billing: what is to be billed, and who has not paid."""

from services.agent_runtime.reasoners.billing import draft_invoice, dunning, reading, schemas
from services.agent_runtime.reasoners.reasoner import Reasoner

REASONERS = (
    Reasoner(
        agent="billing",
        name="draft_invoice",
        description="Puts a client's work that no invoice has yet on a draft, at the prices of its contracts.",
        input_schema=schemas.DRAFT_INVOICE_INPUT,
        output_schema=schemas.DRAFT_INVOICE_OUTPUT,
        timeout_seconds=60,
        most_tries=3,
        gather=reading.for_draft_invoice,
        reason=draft_invoice.reason,
    ),
    Reasoner(
        agent="billing",
        name="dunning",
        description="Finds who is late with how much, and what to do about it; it sends nothing.",
        input_schema=schemas.DUNNING_INPUT,
        output_schema=schemas.DUNNING_OUTPUT,
        timeout_seconds=60,
        most_tries=3,
        gather=reading.for_dunning,
        reason=dunning.reason,
    ),
)
