"""The SQL of notifications beyond the standard one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from kit import ids
from kit.database import Session
from kit.table_listing import TableListing
from kit.unit_of_work import UnitOfWork

Row = dict[str, Any]

_COLUMNS = """id, state::text AS state, channel_id, rule_id, topic, event_id, title, body, repeats, attempts, problem,
due_at, sent_at, created_at"""
LISTING = TableListing(
    "notifications", _COLUMNS, search="lower(title || ' ' || body || ' ' || topic || ' ' || coalesce(problem, ''))"
)

_RULES = """
SELECT rule.id, rule.name, rule.topic, rule.filter, rule.hours, rule.title, rule.body, rule.quiet_minutes,
    rule.channel_id, channel.digest_minutes
FROM notification_rules AS rule JOIN notification_channels AS channel
    ON channel.workspace_id = rule.workspace_id AND channel.id = rule.channel_id AND channel.deleted_at IS NULL
WHERE rule.workspace_id = $1 AND rule.topic = $2 AND rule.enabled AND rule.deleted_at IS NULL
ORDER BY rule.created_at, rule.id
"""
_REPEAT = """
UPDATE notifications SET repeats = repeats + 1 WHERE workspace_id = $1 AND id = (
    SELECT id FROM notifications WHERE workspace_id = $1 AND rule_id = $2 AND subject = $3 AND created_at > $4
    ORDER BY created_at DESC, id DESC LIMIT 1
) RETURNING true
"""
# What is gathered is sent with the first of it.
_ADD = """
INSERT INTO notifications
    (workspace_id, id, channel_id, rule_id, topic, event_id, subject, title, body, state, due_at, created_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting', coalesce(
    (SELECT min(due_at) FROM notifications WHERE workspace_id = $1 AND channel_id = $3 AND state = 'waiting'
        AND attempts = 0 AND $10 > interval '0' AND due_at > $11), $11 + $10), $11
ON CONFLICT (workspace_id, rule_id, event_id) DO NOTHING
"""
_NEXT = """
SELECT channel.id, channel.secret_key, channel.digest_minutes FROM notification_channels AS channel
WHERE channel.workspace_id = $1 AND channel.enabled AND channel.deleted_at IS NULL AND EXISTS (
    SELECT FROM notifications AS due WHERE due.workspace_id = $1 AND due.channel_id = channel.id
    AND due.state IN ('waiting', 'sending') AND due.due_at <= $2
) ORDER BY channel.id
"""
# What is due is found once, however the statement is planned: a subquery with a limit may be run more often.
_TAKE = f"""
WITH due AS MATERIALIZED (
    SELECT id AS due_id FROM notifications WHERE workspace_id = $1 AND channel_id = $2
    AND state IN ('waiting', 'sending') AND due_at <= $3
    ORDER BY created_at, id LIMIT $5 FOR UPDATE SKIP LOCKED
)
UPDATE notifications SET state = 'sending', attempts = attempts + 1, due_at = $4
FROM due WHERE workspace_id = $1 AND id = due_id RETURNING {_COLUMNS}
"""
# Only of those that are still being sent by whoever took them: `due_at` is that of their taking.
_SENT = """
UPDATE notifications SET state = 'sent', sent_at = $4, problem = NULL
WHERE workspace_id = $1 AND id = ANY($2::uuid[]) AND state = 'sending' AND due_at = $3
"""
_NOT_SENT = """
UPDATE notifications SET state = CASE WHEN attempts >= $6 THEN 'failed' ELSE 'waiting' END::notification_state,
    problem = $4, due_at = $5
WHERE workspace_id = $1 AND id = ANY($2::uuid[]) AND state = 'sending' AND due_at = $3
"""
# For a channel that is not there, or has been off for so long.
_GIVE_UP = """
UPDATE notifications AS notification SET state = 'failed', problem = 'The channel was off, or deleted.'
FROM notification_channels AS channel
WHERE notification.workspace_id = $1 AND channel.workspace_id = $1 AND channel.id = notification.channel_id
AND state IN ('waiting', 'sending') AND due_at <= $2
AND (channel.deleted_at IS NOT NULL OR NOT channel.enabled AND due_at <= $3)
"""
_RETRY = f"""
UPDATE notifications SET state = 'waiting', attempts = 0, due_at = $3
WHERE workspace_id = $1 AND id = $2 AND state = 'failed' RETURNING {_COLUMNS}
"""
_FORGET = """
DELETE FROM notifications WHERE workspace_id = $1 AND id IN (
    SELECT id FROM notifications WHERE workspace_id = $1 AND created_at < $2 AND state IN ('sent', 'failed') LIMIT $3
)
"""
_CHANNEL = """
SELECT id, secret_key, digest_minutes FROM notification_channels
WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL
"""


async def rules_of(session: Session, topic: str) -> list[Row]:
    """The workspace's enabled rules of a topic, the oldest first."""
    return [dict(row) for row in await session.fetch(_RULES, session.call.workspace_id, topic)]


async def repeat(work: UnitOfWork, rule: Row, subject: str) -> bool:
    """Count one more of what was told lately. False: it was not."""
    if not rule["quiet_minutes"]:
        return False
    since = work.now - timedelta(minutes=rule["quiet_minutes"])
    return bool(await work.fetchval(_REPEAT, work.call.workspace_id, rule["id"], subject, since))


async def add(work: UnitOfWork, rule: Row, *, event_id: str, subject: str, title: str, body: str) -> None:
    """A message that is to be sent, at once or with what else is gathered for its channel."""
    await work.execute(
        _ADD,
        work.call.workspace_id,
        ids.new_id(),
        rule["channel_id"],
        rule["id"],
        rule["topic"],
        event_id,
        subject,
        title,
        body,
        timedelta(minutes=rule["digest_minutes"]),
        work.now,
    )


async def channel(session: Session, channel_id: str) -> Row | None:
    row = await session.fetchrow(_CHANNEL, session.call.workspace_id, channel_id)
    return dict(row) if row else None


async def due_channels(work: UnitOfWork) -> list[Row]:
    """Those for which something is due."""
    return [dict(row) for row in await work.fetch(_NEXT, work.call.workspace_id, work.now)]


async def take(work: UnitOfWork, channel_id: str, *, until: datetime, most: int) -> list[Row]:
    """The oldest that are due; nobody else sends them before `until`."""
    found = await work.fetch(_TAKE, work.call.workspace_id, channel_id, work.now, until, most)
    return sorted((dict(row) for row in found), key=lambda row: (row["created_at"], row["id"]))


async def sent(work: UnitOfWork, messages: Sequence[Row]) -> None:
    await work.execute(_SENT, work.call.workspace_id, _ids(messages), messages[0]["due_at"], work.now)


async def not_sent(
    work: UnitOfWork, messages: Sequence[Row], problem: str, *, again_at: datetime, most_attempts: int
) -> None:
    """They are tried again at that time, unless they were tried often enough."""
    await work.execute(
        _NOT_SENT, work.call.workspace_id, _ids(messages), messages[0]["due_at"], problem, again_at, most_attempts
    )


async def give_up(work: UnitOfWork, off_since: datetime) -> None:
    """End what is due for channels that are deleted, or have been off since then."""
    await work.execute(_GIVE_UP, work.call.workspace_id, work.now, off_since)


async def retry(work: UnitOfWork, notification_id: str) -> Row | None:
    row = await work.fetchrow(_RETRY, work.call.workspace_id, notification_id, work.now)
    return dict(row) if row else None


async def forget(work: UnitOfWork, before: datetime, most: int) -> int:
    return int((await work.execute(_FORGET, work.call.workspace_id, before, most)).split()[-1])


def _ids(messages: Sequence[Row]) -> list[str]:
    return [str(each["id"]) for each in messages]
