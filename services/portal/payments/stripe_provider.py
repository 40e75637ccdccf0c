"""Stripe as a payment provider, by its own SDK. The payer pays in Stripe's form; that the money is there, Stripe's
signed event says (stripe_events.py)."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stripe

from kit.errors import Conflict, FieldError, Invalid, NotFound, Unavailable
from kit.live_settings import SettingsReader
from kit.logs import get_logger
from kit.secrets import Secret
from opsfield.ops.v1.payments_pb2 import Payment
from opsfield.ops.v1.portal_invoices_pb2 import PortalPayment
from services.portal.payments.minor_units import in_minor_units
from services.portal.payments.providers import Begun, Refused

API = "https://api.stripe.com"
SECRET = "payments.stripe"  # noqa: S105 - the name of one
_SECONDS = 8.0
_RETRIES = 1
# That the same can be tried again.
_PASSING = (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError)

T = TypeVar("T")
Secrets = Callable[[str, str], Awaitable[Secret]]
"""By workspace and key."""

log = get_logger(__name__)


class StripePayments:
    """`api_base`: where Stripe's API is."""

    name = "stripe"
    method = Payment.CARD

    def __init__(self, settings: SettingsReader, secrets: Secrets, *, api_base: str) -> None:
        self._settings = settings
        self._secrets = secrets
        self._api_base = api_base
        # Its connections are kept, whoever's key it is.
        self._http: stripe.HTTPXClient | None = None

    async def check(self, workspace_id: str) -> None:
        await self._secret(workspace_id)

    async def begin(self, workspace_id: str, payment: PortalPayment) -> Begun:
        client = await self._client(workspace_id)
        try:
            amount = in_minor_units(payment.amount, payment.currency)
        except ValueError as error:
            raise Refused(Invalid.fields(FieldError("amount", f"cannot be paid by Stripe: {error}"))) from error
        intent = await self._ask(
            client.v1.payment_intents.create_async(
                {
                    "amount": amount,
                    "currency": payment.currency.lower(),
                    "automatic_payment_methods": {"enabled": True},
                    "description": f"{payment.invoice_number} ({payment.reference})",
                    "metadata": {"workspace_id": workspace_id, "payment_id": payment.id},
                },
                # The same payment again gets the same intent.
                {"idempotency_key": f"opsfield-{payment.id}"},
            )
        )
        portal = (await self._settings.workspace(workspace_id)).value.settings.portal
        return Begun(
            f"Pay {payment.amount} {payment.currency} in the form that opens.",
            provider_payment_id=intent.id,
            client_secret=intent.client_secret,
            publishable_key=portal.stripe_publishable_key or None,
        )

    async def cancel(self, workspace_id: str, payment: PortalPayment) -> None:
        if not payment.HasField("provider_payment_id"):
            return
        try:
            client = await self._client(workspace_id)
        except Invalid:
            log.warning("withdrawn here alone: the workspace has no key of stripe", payment=payment.id)
            return
        intents, intent_id = client.v1.payment_intents, payment.provider_payment_id
        try:
            await self._ask(intents.cancel_async(intent_id))
        except Refused as refusal:
            if _is_unknown(refusal):
                log.warning("withdrawn here alone: stripe knows no such intent", payment=payment.id, intent=intent_id)
                return
            intent = await self._ask(intents.retrieve_async(intent_id))
            if intent.status != "canceled":
                raise Conflict(
                    f"The payment is {intent.status} at Stripe and cannot be withdrawn.", code="payment-received"
                ) from refusal

    async def _client(self, workspace_id: str) -> stripe.StripeClient:
        if self._http is None:
            self._http = stripe.HTTPXClient(timeout=_SECONDS)
        return stripe.StripeClient(
            await self._secret(workspace_id),
            base_addresses={"api": self._api_base},
            http_client=self._http,
            max_network_retries=_RETRIES,
        )

    async def _secret(self, workspace_id: str) -> str:
        try:
            return (await self._secrets(workspace_id, SECRET)).value
        except NotFound as error:
            raise Invalid.fields(FieldError("provider", "is not set up in this workspace")) from error

    async def _ask(self, asking: Awaitable[T]) -> T:
        try:
            return await asking
        except (stripe.CardError, stripe.InvalidRequestError, stripe.IdempotencyError) as error:
            raise Refused(
                Invalid.fields(FieldError("amount", f"is not taken by Stripe: {error.user_message}"))
            ) from error
        except (stripe.AuthenticationError, stripe.PermissionError) as error:
            log.warning("stripe refuses the workspace's key", error=type(error).__name__)
            raise Refused(Conflict("Stripe does not know the workspace's key.", code="provider-refused")) from error
        except _PASSING as error:
            log.warning("stripe cannot be asked", error=type(error).__name__)
            raise Unavailable("Stripe cannot be asked right now; try again.", retry_after=5) from error


def _is_unknown(refusal: Refused) -> bool:
    """Whether there is no such thing in the account whose key it is."""
    return isinstance(refusal.__cause__, stripe.InvalidRequestError) and refusal.__cause__.code == "resource_missing"
