"""The way in for signals of monitoring: what is the same becomes one alert.

Signals of one fingerprint take turns (an advisory lock), so that of two first ones at the same instant the second
finds the alert that the first has made. The unique index on unresolved alerts would refuse a double in any case.

That something is over may be heard before that it began. It is noted then, so that what begins later by the order of
coming in, but earlier by the source's clock, is recorded as over and wakes nobody.
"""

from datetime import datetime
from functools import partial
from typing import Any, cast

from google.protobuf.message import Message

from kit.resources.handlers import ResourceHandlers
from kit.resources.kind import Row
from kit.unit_of_work import UnitOfWork
from services.ops.directory.assets.store import in_maintenance
from services.ops.monitoring.alerts import rules

_TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('alerts/' || $1 || '/' || $2, 0))"
# The one that is not resolved; else the latest that is.
_LATEST = """
SELECT id FROM alerts WHERE workspace_id = $1 AND fingerprint = $2 AND deleted_at IS NULL
ORDER BY status <> 'resolved' DESC, id DESC LIMIT 1
"""
_NOTE_CLEAR = """
INSERT INTO early_clears AS noted (workspace_id, fingerprint, cleared_at) VALUES ($1, $2, $3)
ON CONFLICT (workspace_id, fingerprint) DO UPDATE SET cleared_at = greatest(noted.cleared_at, excluded.cleared_at)
"""
_TAKE_CLEAR = "DELETE FROM early_clears WHERE workspace_id = $1 AND fingerprint = $2 RETURNING cleared_at"


async def raise_or_fold(
    work: UnitOfWork, alerts: ResourceHandlers, row: Row, *, seen_at: datetime | None, suppressed: bool = False
) -> Message:
    """Take in a signal that something is wrong: the alert that now stands for it. `row` holds the writable fields of a
    new alert, `seen_at` is when the source noticed (None: it does not say, so in the order of coming in). The alert is
    suppressed while its asset is in maintenance, or when `suppressed` says so. Raises what a creation does."""
    fingerprint = row["fingerprint"] = row["fingerprint"] or rules.fingerprint(row)
    severity = row["severity"] = row["severity"] or alerts.kind.defaults["severity"]
    known = await _latest(work, alerts, fingerprint)
    if seen_at is None:
        # One that had to wait for its turn began before the one that it waited for was done.
        seen_at = max(work.now, known["last_seen_at"]) if known else work.now
    if known and rules.is_late(known, seen_at):
        return await alerts.amend(work, known, lambda alert: None)
    cleared_at: datetime | None = await work.fetchval(_TAKE_CLEAR, work.call.workspace_id, fingerprint)
    over_at = cleared_at if cleared_at is not None and cleared_at > seen_at else None
    goes_on = known and (known["status"] != "resolved" or rules.flaps(known, seen_at))
    asset_id = known["asset_id"] if known and goes_on else row["asset_id"]
    if over_at is not None or (asset_id and await in_maintenance(work, asset_id)):
        suppressed = True
    if known and goes_on:
        raised: Any = await alerts.amend(
            work, known, lambda alert: rules.fold(alert, severity=severity, seen_at=seen_at, suppressed=suppressed)
        )
    else:
        raised = await alerts.insert(work, row | _beginning(known, seen_at, suppressed=suppressed))
    if over_at is None:
        return cast(Message, raised)
    return await alerts.amend(work, await alerts.lock(work, raised.id), partial(rules.clear, seen_at=over_at))


async def clear(work: UnitOfWork, alerts: ResourceHandlers, fingerprint: str, *, seen_at: datetime) -> Message | None:
    """Take in a signal that something is over: the alert that it was about, or None when there never was one. A signal
    from before the alert's latest one changes nothing."""
    known = await _latest(work, alerts, fingerprint)
    if known and rules.is_late(known, seen_at):
        return await alerts.amend(work, known, lambda alert: None)
    if known is None or known["status"] == "resolved":
        await work.execute(_NOTE_CLEAR, work.call.workspace_id, fingerprint, seen_at)
        return await alerts.amend(work, known, lambda alert: None) if known else None
    return await alerts.amend(work, known, lambda alert: rules.clear(alert, seen_at=seen_at))


async def _latest(work: UnitOfWork, alerts: ResourceHandlers, fingerprint: str) -> Row | None:
    await work.fetchval(_TAKE_TURN, work.call.workspace_id, fingerprint)
    alert_id = await work.fetchval(_LATEST, work.call.workspace_id, fingerprint)
    return await alerts.lock(work, alert_id) if alert_id else None


def _beginning(known: Row | None, seen_at: datetime, *, suppressed: bool) -> Row:
    """What a new alert begins with, after the one that is `known`."""
    return {
        "status": "suppressed" if suppressed else "firing",
        "first_seen_at": seen_at,
        "last_seen_at": seen_at,
        "previous_alert_id": known["id"] if known else None,
    }
