"""StripeService: what Stripe tells. That its signature is one, and of now, is known by then (kit/webhooks.py)."""

import json
from typing import Any

from kit.errors import Malformed, NotFound
from kit.logs import get_logger
from kit.unit_of_work import UnitOfWork
from opsfield.ops.v1.portal_invoices_pb2 import SettlePortalPaymentRequest
from opsfield.portal.v1.stripe_pb2 import StripeReceipt, TakeStripeEventRequest
from services.portal.ops_client import OpsClient
from services.portal.payments.minor_units import written

_OUTCOMES = {
    "payment_intent.succeeded": SettlePortalPaymentRequest.SUCCEEDED,
    "payment_intent.canceled": SettlePortalPaymentRequest.FAILED,
}

log = get_logger(__name__)


class StripeEventHandlers:
    """Settles payments at ops. An event that comes twice, or after another that says the same, changes nothing."""

    def __init__(self, ops: OpsClient) -> None:
        self._ops = ops

    async def take_stripe_event(self, request: TakeStripeEventRequest, work: UnitOfWork) -> StripeReceipt:
        try:
            event = json.loads(request.event.data)
            asked = _settlement(event, work.call.workspace_id)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Malformed("The body is no event of Stripe's.") from error
        if asked is None:
            return StripeReceipt()
        try:
            # Known by what it says, not by the bytes it came in: Stripe may tell it again in others.
            await self._ops.do("SettlePortalPayment", asked, work.call)
        except NotFound:
            _tell_of_unknown(asked, work.call.workspace_id)
            return StripeReceipt()
        return StripeReceipt(payment_id=asked.id)


def _tell_of_unknown(asked: SettlePortalPaymentRequest, workspace_id: str) -> None:
    """There is no such payment here, though the intent was made for this workspace."""
    intent = asked.provider_payment_id
    if asked.outcome == SettlePortalPaymentRequest.SUCCEEDED:
        # A client has paid, and no books say so.
        log.error(
            "stripe has taken money for a payment that is unknown here",
            workspace=workspace_id,
            payment=asked.id,
            intent=intent,
            amount=asked.amount,
            currency=asked.currency,
        )
    else:
        log.info(
            "stripe has cancelled a payment that is unknown here",
            workspace=workspace_id,
            payment=asked.id,
            intent=intent,
        )


def _settlement(event: dict[str, Any], workspace_id: str) -> SettlePortalPaymentRequest | None:
    """What an event asks for; None for one that is about nothing here. Raises ValueError, TypeError, KeyError or
    AttributeError for what is none."""
    outcome = _OUTCOMES.get(event["type"])
    intent = event["data"]["object"]
    metadata = intent.get("metadata") or {}
    if outcome is None or metadata.get("workspace_id") != workspace_id:
        return None
    currency = str(intent["currency"]).upper()
    is_paid = outcome == SettlePortalPaymentRequest.SUCCEEDED
    return SettlePortalPaymentRequest(
        id=metadata["payment_id"],
        provider="stripe",
        provider_payment_id=intent["id"],
        outcome=outcome,
        amount=written(int(intent["amount_received"]), currency) if is_paid else None,
        currency=currency if is_paid else None,
        failure_reason=None if is_paid else f"Cancelled at Stripe: {intent.get('cancellation_reason') or 'no reason'}",
    )
