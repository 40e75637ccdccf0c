"""The port to payment providers, and the one that needs no account."""

from dataclasses import dataclass, field
from typing import Protocol

from kit.errors import Problem
from kit.live_settings import SettingsReader
from opsfield.ops.v1.payments_pb2 import Payment
from opsfield.ops.v1.portal_invoices_pb2 import PortalPayment


@dataclass(frozen=True)
class Begun:
    """How the payer goes on: `instructions` for a person to read, and what the provider's own form needs. By
    `provider_payment_id` the provider knows the payment."""

    instructions: str
    provider_payment_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    publishable_key: str | None = None


class Refused(Exception):
    """The provider will not take this payment, however often it is asked; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class Provider(Protocol):
    """Takes the money of payments that ops holds as pending. `method`: how it comes, as the books have it."""

    @property
    def name(self) -> str: ...

    @property
    def method(self) -> Payment.Method: ...

    async def check(self, workspace_id: str) -> None:
        """Raises Invalid where the workspace has no account with it."""
        ...

    async def begin(self, workspace_id: str, payment: PortalPayment) -> Begun:
        """Asked again for the same payment, it says the same. Raises Refused; Unavailable when it cannot be asked."""
        ...

    async def cancel(self, workspace_id: str, payment: PortalPayment) -> None:
        """Take no money for it any more. Raises Conflict `payment-received` when it was taken, Refused when it knows
        nobody or no such payment, Unavailable."""
        ...


class ManualTransfer:
    """The payer transfers the money; whoever keeps the books sets the payment to `succeeded` when it is there."""

    name = "manual"
    method = Payment.BANK_TRANSFER

    def __init__(self, settings: SettingsReader) -> None:
        self._settings = settings

    async def check(self, workspace_id: str) -> None:
        del workspace_id

    async def begin(self, workspace_id: str, payment: PortalPayment) -> Begun:
        where = (await self._settings.workspace(workspace_id)).value.settings.portal.transfer_instructions
        what = f"Transfer {payment.amount} {payment.currency} with the reference {payment.reference}."
        return Begun(f"{what}\n{where}".strip())

    async def cancel(self, workspace_id: str, payment: PortalPayment) -> None:
        del workspace_id, payment
