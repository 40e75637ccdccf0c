"""NotificationService: what was told, what could not be, and a message now."""

from typing import Any

from kit.database import Session
from kit.errors import FieldError, Invalid, NotFound
from kit.paging import Listing
from kit.secrets import SecretReader
from kit.unit_of_work import UnitOfWork
from opsfield.integrations.v1.notifications_pb2 import (
    ListNotificationsRequest,
    ListNotificationsResponse,
    Notification,
    NotificationReceipt,
    RetryNotificationRequest,
    TestNotificationRequest,
)
from services.integrations.notifications import store
from services.integrations.notifications.delivery import deliver
from services.integrations.notifications.sending import Sender

_TITLE = "A test of this channel"
_BODY = "Opsfield can reach you here."


class NotificationHandlers:
    def __init__(self, secrets: SecretReader, sender: Sender) -> None:
        self._secrets = secrets
        self._sender = sender

    async def list_notifications(
        self, request: ListNotificationsRequest, session: Session
    ) -> ListNotificationsResponse:
        listing = Listing.of(request, Notification.DESCRIPTOR)
        rows, total = await store.LISTING.page(session, listing)
        return ListNotificationsResponse(**listing.answer([_message(dict(row)) for row in rows], total))

    async def test_notification(self, request: TestNotificationRequest, work: UnitOfWork) -> NotificationReceipt:
        """The key is claimed first, so that of two calls with one key one sends."""
        channel = await store.channel(work, request.channel_id)
        if channel is None:
            raise Invalid.fields(FieldError("channelId", "must name a notification channel"))
        title = request.title or _TITLE
        body = request.body or ("" if request.HasField("title") else _BODY)
        receipt = await deliver(self._secrets, self._sender, work.call.workspace_id, channel, title, body)
        work.audit(request.channel_id, None)
        return NotificationReceipt(delivered=receipt.delivered, answer=receipt.answer, service=receipt.service)

    async def retry_notification(self, request: RetryNotificationRequest, work: UnitOfWork) -> Notification:
        row = await store.retry(work, request.id)
        if row is None:
            raise NotFound(f"There is no notification {request.id} that has failed.")
        work.audit(request.id, None)
        return _message(row)


def _message(row: dict[str, Any]) -> Notification:
    return Notification(**{**row, "state": row["state"].upper()})
