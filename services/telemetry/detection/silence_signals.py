"""What the world is told of silence."""

from datetime import datetime

from opsfield.telemetry.v1.conditions_pb2 import AssetObserved, ConditionCleared, ConditionRaised
from services.telemetry.detection.signals import SOURCE, labels_of
from services.telemetry.detection.silence_rules import Agent, Mass, Scope
from services.telemetry.detection.silence_store import Belonging

_MOST_NAMES = 50


def fingerprint(agent_id: str) -> str:
    """That of an agent's silence."""
    return f"{agent_id}/offline"


def mass_fingerprint(scope: Scope) -> str:
    """That of a mass silence."""
    client_id, site_id = scope
    if client_id is None:
        return "silence/workspace"
    return f"silence/client/{client_id}" if site_id is None else f"silence/site/{client_id}/{site_id}"


def observed_offline(agent: Belonging) -> AssetObserved:
    """That an agent's asset is offline, since it was last heard of."""
    return AssetObserved(
        agent_id=agent.id,
        client_id=agent.client_id,
        site_id=agent.site_id,
        status=AssetObserved.OFFLINE,
        last_seen_at=agent.last_seen_at,
    )


def silence_raised(agent: Agent, now: datetime) -> ConditionRaised:
    """That one agent is silent."""
    # A host's name may be as long as a title may not.
    return ConditionRaised(
        source=SOURCE,
        rule="offline",
        fingerprint=fingerprint(agent.id),
        severity=ConditionRaised.HIGH,
        title=f"{agent.hostname[:180]} is offline",
        description=f"Nothing is heard of the agent on {agent.hostname} any more: the machine, its network or the "
        "agent is down.",
        agent_id=agent.id,
        hostname=agent.hostname,
        client_id=agent.client_id,
        labels=labels_of({"hostname": agent.hostname}),
        observed_at=now,
    )


def mass_raised(scope: Scope, mass: Mass, now: datetime) -> ConditionRaised:
    """That most of a scope went silent at once."""
    client_id, site_id = scope
    what = "site" if site_id else "client" if client_id else "workspace"
    silent = len(mass.silent)
    names = ", ".join(sorted(each.hostname for each in mass.silent)[:_MOST_NAMES])
    more = f" and {silent - _MOST_NAMES} more" if silent > _MOST_NAMES else ""
    labels = {
        "scope": what,
        "client": client_id or "",
        "site": site_id or "",
        "silent": str(silent),
        "agents": str(mass.agents),
    }
    return ConditionRaised(
        source=SOURCE,
        rule="mass-offline",
        fingerprint=mass_fingerprint(scope),
        severity=ConditionRaised.CRITICAL,
        title=f"{silent} of {mass.agents} agents of the {what} went silent at once",
        description=f"Look for what they share: power, network, host. Silent: {names}{more}."[:10_000],
        client_id=client_id,
        labels=labels_of(labels),
        observed_at=now,
    )


def cleared(of_fingerprint: str, now: datetime) -> ConditionCleared:
    """That a silence is over."""
    return ConditionCleared(fingerprint=of_fingerprint, observed_at=now)
