"""The SQL of SLA policies beyond the standard one: the default, and the terms that tickets are bound to."""

import asyncpg

from kit.database import Session
from kit.unit_of_work import UnitOfWork
from services.ops.service_desk.sla.business_time import Calendar, calendar_of
from services.ops.service_desk.sla.clock import Terms

_LOCK_DEFAULT = "SELECT pg_advisory_xact_lock(hashtextextended('sla-policies/default/' || $1, 0))"
_TAKE_DEFAULT = """
UPDATE sla_policies SET is_default = false, version = version + 1, updated_at = $3
WHERE workspace_id = $1 AND is_default AND id <> $2 AND deleted_at IS NULL
RETURNING id, version
"""
# A client's own policy comes first, then that of its contract, then the workspace's default. A contract that is renewed
# may have to wait for the sweep to say so. A policy that is another client's by now counts for nothing.
_FOR_CLIENT = """
SELECT id FROM sla_policies
WHERE workspace_id = $1 AND deleted_at IS NULL AND (client_id = $2 OR is_default OR client_id IS NULL AND id = (
    SELECT sla_policy_id FROM contracts
    WHERE workspace_id = $1 AND client_id = $2 AND status = 'active' AND sla_policy_id IS NOT NULL
        AND starts_on <= $3::date AND (ends_on >= $3::date OR ends_on IS NULL OR auto_renew) AND deleted_at IS NULL
    ORDER BY starts_on DESC, id DESC LIMIT 1
))
ORDER BY coalesce(client_id = $2, false) DESC, is_default LIMIT 1 FOR SHARE
"""
_IS_FOR = "SELECT client_id IS NULL OR client_id = $3 FROM sla_policies WHERE workspace_id = $1 AND id = $2"
_TERMS = "policy_id, version, name, calendar, targets, pause_states::text[] AS pause_states, warn_percent"
# The version that holds now is kept as soon as a ticket is bound to it, and not changed again.
_KEEP = f"""
WITH kept AS (
    INSERT INTO sla_policy_versions
        (workspace_id, policy_id, version, name, calendar, targets, pause_states, warn_percent)
    SELECT workspace_id, id, version, name, calendar, targets, pause_states, warn_percent FROM sla_policies
    WHERE workspace_id = $1 AND id = $2
    ON CONFLICT DO NOTHING
)
SELECT {_TERMS.replace("policy_id", "id AS policy_id")} FROM sla_policies WHERE workspace_id = $1 AND id = $2
"""
_KEPT = f"SELECT {_TERMS} FROM sla_policy_versions WHERE workspace_id = $1 AND policy_id = $2 AND version = $3"


async def take_default(work: UnitOfWork, policy_id: str) -> None:
    """Take being the default from whichever other policy has it. Of two that ask at once, the later one gets it."""
    await work.fetchval(_LOCK_DEFAULT, work.call.workspace_id)
    for former in await work.fetch(_TAKE_DEFAULT, work.call.workspace_id, policy_id, work.now):
        work.audit(former["id"], former["version"])


async def policy_for(work: UnitOfWork, client_id: str) -> str | None:
    """The id of the policy that tickets of a client are bound to today (UTC); it cannot change until the unit of work
    ends."""

    async def look_up() -> str | None:
        today = work.now.date().isoformat()
        found: str | None = await work.fetchval(_FOR_CLIENT, work.call.workspace_id, client_id, today)
        return found

    return await work.once(("sla policy of", client_id), look_up)


async def is_policy_for(work: UnitOfWork, policy_id: str, client_id: str) -> bool:
    """Whether a policy that the unit of work holds is one for this client, or for any."""

    async def look_up() -> bool:
        return bool(await work.fetchval(_IS_FOR, work.call.workspace_id, policy_id, client_id))

    return await work.once(("sla policy for", policy_id, client_id), look_up)


async def bind_terms(work: UnitOfWork, policy_id: str) -> Terms:
    """The terms of a policy as it is now, kept for as long as there is the workspace."""

    async def look_up() -> Terms:
        record = await work.fetchrow(_KEEP, work.call.workspace_id, policy_id)
        assert record is not None, "a reference that was checked names a policy"
        return _terms(record)

    return await work.once(("sla terms of", policy_id), look_up)


async def terms_of(session: Session, policy_id: str, version: int) -> Terms:
    """The terms that a ticket was bound to."""
    record = await session.fetchrow(_KEPT, session.call.workspace_id, policy_id, version)
    assert record is not None, "a version that a ticket is bound to is kept"
    return _terms(record)


def _terms(record: asyncpg.Record) -> Terms:
    words = record["calendar"]
    calendar = calendar_of(
        words["time_zone"],
        [(each["day"], each["opens"], each["closes"]) for each in words.get("windows") or ()],
        [each["date"] for each in words.get("holidays") or ()],
    )
    if words.get("always_open"):
        calendar = Calendar(words["time_zone"], always_open=True)
    return Terms(
        policy_id=record["policy_id"],
        policy_name=record["name"],
        policy_version=record["version"],
        calendar=calendar,
        minutes={
            each["priority"]: {
                target: each[f"{target}_minutes"]
                for target in ("first_response", "resolution")
                if each.get(f"{target}_minutes") is not None
            }
            for each in record["targets"]
        },
        pauses=frozenset(record["pause_states"]),
        warn_percent=record["warn_percent"],
    )
