"""Sends what is due: each workspace by itself, so that one whose channel does not answer holds up no other.

A message is taken in one unit of work, sent outside of any, and recorded in another. Whoever dies in between has maybe
sent it; after its lease another one sends it (again). So people may get a message twice, but none is lost.
"""

import asyncio
from datetime import timedelta

from kit import clock, ids
from kit.call import Call
from kit.database import DATABASE_ERRORS, Database
from kit.errors import NotFound, Problem
from kit.identity import Principal
from kit.logs import get_logger
from kit.secrets import SecretReader
from kit.sweeping import Sweep
from kit.unit_of_work import unit_of_work
from services.integrations.notifications import rules, store
from services.integrations.notifications.sending import Receipt, Sender
from services.integrations.notifications.store import Row

_SERVICE = "integrations"
_SUBJECT = "system:notifications"
_LEASE = timedelta(minutes=2)
_OFF_FOR = timedelta(days=1)
_KEPT = timedelta(days=90)
_MOST_TOGETHER = 50
_BATCH = 500
_DUE = "SELECT DISTINCT workspace_id FROM notifications WHERE state IN ('waiting', 'sending') AND due_at <= $1"
_OLD = """
SELECT DISTINCT workspace_id FROM notifications
WHERE state IN ('sent', 'failed') AND created_at < $1::timestamptz - interval '90 days'
"""

log = get_logger(__name__)


class Delivery:
    """Run both of `sweeps`. Of a workspace, one channel after the other is served."""

    def __init__(self, database: Database, relay_url: str, secrets: SecretReader, sender: Sender) -> None:
        self._database = database
        self._secrets = secrets
        self._sender = sender
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self.sweeps = (
            Sweep("notifications", relay_url, _DUE, self._begin),
            Sweep("old notifications", relay_url, _OLD, self._forget),
        )

    async def _begin(self, workspace_id: str) -> bool:
        if workspace_id not in self._at_work:
            task = asyncio.create_task(self._serve(workspace_id))
            self._at_work[workspace_id] = task
            task.add_done_callback(lambda _: self._at_work.pop(workspace_id))
        return False

    async def _serve(self, workspace_id: str) -> None:
        try:
            for channel in await self._due_channels(workspace_id):
                while await self._send_some(workspace_id, channel):
                    pass
        except (*DATABASE_ERRORS, Problem) as error:
            log.warning("notifications are not sent now", workspace=workspace_id, error=str(error))
        except Exception as error:
            log.error("notifications are not sent", workspace=workspace_id, exc_info=error)

    async def _due_channels(self, workspace_id: str) -> list[Row]:
        async with unit_of_work(self._database, _call(workspace_id), service=_SERVICE) as work:
            await store.give_up(work, work.now - _OFF_FOR)
            return await store.due_channels(work)

    async def _send_some(self, workspace_id: str, channel: Row) -> bool:
        """Whether something was due, and was sent."""
        most = _MOST_TOGETHER if channel["digest_minutes"] else 1
        async with unit_of_work(self._database, _call(workspace_id), service=_SERVICE) as work:
            messages = await store.take(work, channel["id"], until=work.now + _LEASE, most=most)
        if not messages:
            return False
        receipt = await deliver(self._secrets, self._sender, workspace_id, channel, *rules.together(messages))
        async with unit_of_work(self._database, _call(workspace_id), service=_SERVICE) as work:
            if receipt.delivered:
                await store.sent(work, messages)
            else:
                again_at = work.now + rules.pause(messages[0]["attempts"])
                await store.not_sent(
                    work, messages, receipt.answer, again_at=again_at, most_attempts=rules.MOST_ATTEMPTS
                )
        log.info(
            "notification",
            workspace=workspace_id,
            channel=channel["id"],
            messages=len(messages),
            delivered=receipt.delivered,
            service=receipt.service,
        )
        return receipt.delivered

    async def _forget(self, workspace_id: str) -> bool:
        async with unit_of_work(self._database, _call(workspace_id), service=_SERVICE) as work:
            return await store.forget(work, clock.now() - _KEPT, _BATCH) == _BATCH


async def deliver(
    secrets: SecretReader, sender: Sender, workspace_id: str, channel: Row, title: str, body: str
) -> Receipt:
    """Send one message by a channel. Raises Unavailable when its address cannot be had now."""
    try:
        secret = await secrets.get(workspace_id, channel["secret_key"])
    except NotFound:
        return Receipt(False, f"The secret {channel['secret_key']} is not set.")
    return await sender.send(secret.value, title, body)


def _call(workspace_id: str) -> Call:
    return Call(
        method=f"{_SERVICE}/notifications",
        principal=Principal(_SUBJECT, workspace_id=workspace_id, service=_SERVICE),
        correlation_id=f"notifications-{ids.new_id()}",
    )
