"""The policy that holds for an agent, at hand thousands of times a second.

Each time the workspace's revision is asked for, by its primary key; it grows in the transaction of each change of a
policy, so on no replica an old policy outlives that. Everything else is kept in memory: for each workspace the policies
that it had at a revision, and what any of them come to together. Most agents share theirs.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Generic, TypeVar

from kit.database import Session
from opsfield.telemetry.v1.edge_policies_pb2 import Check as CheckMessage
from opsfield.telemetry.v1.edge_policies_pb2 import EffectivePolicy
from opsfield.telemetry.v1.edge_policies_pb2 import Threshold as ThresholdMessage
from services.telemetry.edge_policies import store
from services.telemetry.edge_policies.merge import Check, Effective, Threshold, merge
from services.telemetry.edge_policies.store import Edition, Scope

_MOST_WORKSPACES = 1000
_MOST_POLICIES = 5000
_WORKSPACE: Scope = ("workspace", None)
# JSON numbers are exact up to here.
_LARGEST_VERSION = 2**53 - 1

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Policy:
    """What holds for an agent; `version` is another one for another policy."""

    message: EffectivePolicy
    version: int
    offline_after: timedelta
    offline_alert_after: timedelta
    offline_alerts: bool
    by_metric: Mapping[str, tuple[Threshold, ...]]
    checks: Mapping[str, Check]


class Policies:
    """One for a process."""

    def __init__(self) -> None:
        self._editions: _Recent[str, tuple[int, Mapping[Scope, Edition]]] = _Recent(_MOST_WORKSPACES)
        self._policies: _Recent[tuple[str, tuple[Edition, ...]], Policy] = _Recent(_MOST_POLICIES)

    async def of(self, session: Session, *, client_id: str, site_id: str | None, agent_id: str) -> Policy:
        """The policy of an agent of the session's workspace that belongs to this client and site."""
        return await (await self.current(session)).of(client_id=client_id, site_id=site_id, agent_id=agent_id)

    async def of_workspace(self, session: Session) -> Policy:
        """The policy of agents for which there is none but the workspace's."""
        return await (await self.current(session)).of_workspace()

    async def current(self, session: Session) -> "CurrentPolicies":
        """The workspace's policies as they are now, for whoever asks for those of many agents."""
        workspace_id = session.call.workspace_id
        revision = await store.revision(session)
        known = self._editions.get(workspace_id)
        if known is None or known[0] != revision:
            # Read after the revision, so never older than it says.
            known = self._editions.keep(workspace_id, (revision, await store.editions(session)))
        return CurrentPolicies(session, known[1], self._policies)


class CurrentPolicies:
    """The policies of one workspace, for the length of a session."""

    def __init__(
        self,
        session: Session,
        editions: Mapping[Scope, Edition],
        policies: "_Recent[tuple[str, tuple[Edition, ...]], Policy]",
    ) -> None:
        self._session = session
        self._editions = editions
        self._policies = policies

    async def of(self, *, client_id: str, site_id: str | None, agent_id: str) -> Policy:
        return await self._of(("agent", agent_id), ("site", site_id), ("client", client_id), _WORKSPACE)

    async def of_workspace(self) -> Policy:
        return await self._of(_WORKSPACE)

    async def _of(self, *scopes: Scope) -> Policy:
        editions = tuple([self._editions[each] for each in scopes if each in self._editions])
        key = (self._session.call.workspace_id, editions)
        known = self._policies.get(key)
        if known is not None:
            return known
        rows = await store.contents(self._session, [policy_id for policy_id, _ in editions])
        return self._policies.keep(key, _policy(merge(rows)))


class _Recent(Generic[Key, Value]):
    """Keeps so many of what was used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        value = self._values.pop(key, None)
        if value is not None:
            self._values[key] = value
        return value

    def keep(self, key: Key, value: Value) -> Value:
        self._values.pop(key, None)
        while len(self._values) >= self._most:
            del self._values[next(iter(self._values))]
        self._values[key] = value
        return value


def _policy(effective: Effective) -> Policy:
    message = _message(effective)
    by_metric: dict[str, tuple[Threshold, ...]] = {}
    for threshold in effective.thresholds:
        by_metric[threshold.metric] = (*by_metric.get(threshold.metric, ()), threshold)
    return Policy(
        message=message,
        version=message.version,
        offline_after=timedelta(seconds=message.offline_after_seconds),
        offline_alert_after=timedelta(seconds=message.offline_alert_seconds),
        offline_alerts=message.offline_alerts,
        by_metric=by_metric,
        checks={each.name: each for each in effective.checks},
    )


def _message(effective: Effective) -> EffectivePolicy:
    message = EffectivePolicy(
        **effective.values,
        collectors=[each.upper() for each in effective.collectors],
        thresholds=map(_threshold_message, effective.thresholds),
        checks=map(_check_message, effective.checks),
    )
    digest = sha256(message.SerializeToString(deterministic=True)).digest()
    message.version = int.from_bytes(digest[:8]) % _LARGEST_VERSION + 1
    return message


def _threshold_message(threshold: Threshold) -> ThresholdMessage:
    return ThresholdMessage(
        name=threshold.name,
        metric=threshold.metric,
        instance=threshold.instance,
        operator=ThresholdMessage.ABOVE if threshold.is_above else ThresholdMessage.BELOW,
        raise_at=threshold.raise_at,
        clear_at=threshold.clear_at,
        for_seconds=int(threshold.lasting.total_seconds()),
        severity=threshold.severity.upper(),
    )


def _check_message(check: Check) -> CheckMessage:
    return CheckMessage(
        name=check.name,
        type=check.type.upper(),
        target=check.target,
        every_seconds=int(check.every.total_seconds()),
        timeout_seconds=int(check.timeout.total_seconds()),
        failures_before_alert=check.failures,
        severity=check.severity.upper(),
    )
