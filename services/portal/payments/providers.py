"""The port to payment providers, and the one that needs no account."""

from collections.abc import Mapping
from typing import Protocol

from kit.live_settings import SettingsReader
from opsfield.ops.v1.payments_pb2 import Payment
from opsfield.ops.v1.portal_invoices_pb2 import PortalPayment


class Provider(Protocol):
    """Takes the money of payments that ops holds as pending. `method`: how it comes, as the books have it."""

    @property
    def name(self) -> str: ...

    @property
    def method(self) -> Payment.Method: ...

    async def instructions(self, workspace_id: str, payment: PortalPayment) -> str:
        """How the payer goes on, for a person to read. Asked again for the same payment, it says the same."""
        ...


class ManualTransfer:
    """The payer transfers the money; whoever keeps the books sets the payment to `succeeded` when it is there."""

    name = "manual"
    method = Payment.BANK_TRANSFER

    def __init__(self, settings: SettingsReader) -> None:
        self._settings = settings

    async def instructions(self, workspace_id: str, payment: PortalPayment) -> str:
        where = (await self._settings.workspace(workspace_id)).value.settings.portal.transfer_instructions
        what = f"Transfer {payment.amount} {payment.currency} with the reference {payment.reference}."
        return f"{what}\n{where}".strip()


def providers(settings: SettingsReader) -> Mapping[str, Provider]:
    """All there are, by name; the first one is taken where none is named."""
    manual = ManualTransfer(settings)
    return {manual.name: manual}
