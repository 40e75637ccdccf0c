"""What `opsfield-agent status` tells."""

from typing import Any

from opsfield_agent import identity, progress, spool
from opsfield_agent.state import State


def status(state: State) -> dict[str, Any]:
    """Who this agent is and how sending is doing; `enrolledAs` is None when not enrolled. Raises AgentError."""
    who = identity.load(state)
    seen = progress.read(state.progress)
    try:
        batches, size = spool.size(state.spool)
        running = state.is_held()
    except OSError as error:
        raise state.trouble(error) from None
    enrolled_as = who and {
        "agentId": who.agent_id,
        "workspaceId": who.workspace_id,
        "clientId": who.client_id,
        "siteId": who.site_id,
        "url": who.url,
        "enrolledAt": who.enrolled_at,
    }
    return {
        "enrolledAs": enrolled_as,
        "running": running,
        "refused": seen.refused,
        "lastSentAt": seen.last_sent_at,
        "spool": {"batches": batches, "bytes": size},
        "policyVersion": seen.policy_version,
        "lastError": seen.last_error,
        "lastErrorAt": seen.last_error_at,
        "batchesSent": seen.batches_sent,
        "eventsAccepted": seen.events_accepted,
        "eventsRejected": seen.events_rejected,
        "batchesDropped": seen.batches_dropped,
        "eventsDropped": seen.events_dropped,
        "batchesPutAside": seen.batches_rejected,
    }


def as_text(found: dict[str, Any]) -> str:
    """For a person, a line for each."""
    who = found["enrolledAs"]
    named = who and f"{who['agentId']} of workspace {who['workspaceId']} at {who['url']}, since {who['enrolledAt']}"
    error = found["lastError"] and f"{found['lastError']} ({found['lastErrorAt']})"
    dropped = f"{found['batchesDropped']} batches with {found['eventsDropped']} events"
    lines = {
        "enrolled as": named or "not enrolled",
        "running": "yes" if found["running"] else "no",
        "refused": "yes: the platform does not know this agent" if found["refused"] else "no",
        "last sent": found["lastSentAt"] or "never",
        "sent": f"{found['batchesSent']} batches, {found['eventsAccepted']} events accepted, "
        f"{found['eventsRejected']} rejected",
        "waiting": f"{found['spool']['batches']} batches, {found['spool']['bytes'] / 1e6:.1f} MB",
        "dropped": dropped if found["batchesDropped"] else "nothing",
        "put aside": f"{found['batchesPutAside']} batches" if found["batchesPutAside"] else "nothing",
        "policy": found["policyVersion"] or "the defaults",
        "last error": error or "none",
    }
    return "\n".join(f"{name:<12} {value}" for name, value in lines.items())
