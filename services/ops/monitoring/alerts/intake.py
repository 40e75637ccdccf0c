"""The way in for signals of monitoring: what is the same becomes one alert.

Signals of one fingerprint take turns (an advisory lock), so that of two first ones at the same instant the second
finds the alert that the first has made. The unique index on unresolved alerts would refuse a double in any case.
"""

from datetime import datetime

from google.protobuf.message import Message

from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from services.ops.monitoring.alerts import rules

_TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('alerts/' || $1 || '/' || $2, 0))"
# The one that is not resolved; else the latest that is.
_LATEST = """
SELECT id FROM alerts WHERE workspace_id = $1 AND fingerprint = $2 AND deleted_at IS NULL
ORDER BY status <> 'resolved' DESC, id DESC LIMIT 1
"""


async def raise_or_fold(
    work: UnitOfWork, alerts: ResourceHandlers, row: Row, *, seen_at: datetime | None, suppressed: bool = False
) -> Message:
    """Take in a signal that something is wrong: the alert that now stands for it. `row` holds the writable fields of a
    new alert, `seen_at` is when the source noticed (None: it does not say, so in the order of coming in), `suppressed`
    that it is in maintenance. Raises what a creation does."""
    fingerprint = row["fingerprint"] = row["fingerprint"] or rules.fingerprint(row)
    severity = row["severity"] = row["severity"] or alerts.kind.defaults["severity"]
    known = await _latest(work, alerts, fingerprint)
    if seen_at is None:
        # One that had to wait for its turn began before the one that it waited for was done.
        seen_at = max(work.now, known["last_seen_at"]) if known else work.now
    if known and rules.is_late(known, seen_at):
        return await alerts.amend(work, known, lambda alert: None)
    if known and (known["status"] != "resolved" or rules.flaps(known, seen_at)):
        return await alerts.amend(
            work, known, lambda alert: rules.fold(alert, severity=severity, seen_at=seen_at, suppressed=suppressed)
        )
    row |= {
        "status": "suppressed" if suppressed else "firing",
        "first_seen_at": seen_at,
        "last_seen_at": seen_at,
        "previous_alert_id": known["id"] if known else None,
    }
    return await alerts.insert(work, row)


async def clear(work: UnitOfWork, alerts: ResourceHandlers, fingerprint: str, *, seen_at: datetime) -> Message | None:
    """Take in a signal that something is over: the alert that it was about, or None when there never was one. A signal
    from before the alert's latest one changes nothing."""
    known = await _latest(work, alerts, fingerprint)
    if known is None:
        return None
    if known["status"] == "resolved" or rules.is_late(known, seen_at):
        return await alerts.amend(work, known, lambda alert: None)
    return await alerts.amend(work, known, lambda alert: rules.clear(alert, seen_at=seen_at))


async def _latest(work: UnitOfWork, alerts: ResourceHandlers, fingerprint: str) -> Row | None:
    await work.fetchval(_TAKE_TURN, work.call.workspace_id, fingerprint)
    alert_id = await work.fetchval(_LATEST, work.call.workspace_id, fingerprint)
    return await alerts.lock(work, alert_id) if alert_id else None
