"""Whose silence is told by itself, and whose together. Pure.

When most of a site, a client or a whole workspace goes silent at once, what failed is a line, a power supply or a
hypervisor: one condition says so, for the widest such scope, and the agents under it are not told one by one. It is
looked at when the alert of one of them is due, so how long that waits is how long the others have to show.

An agent that was silent long before has no part in it, neither among those that went silent nor among those that could
have; nor has one that is allowed to be silent (the caller leaves it out).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

# Turning offline so far apart is at once.
AT_ONCE = timedelta(minutes=15)
FEWEST = 5
RAISED_FROM_PERCENT = 50
CLEARED_BELOW_PERCENT = 20

# Client and site: (None, None) is the workspace, (client, None) a client, (client, site) a site.
Scope = tuple[str | None, str | None]
WORKSPACE: Scope = (None, None)


@dataclass(frozen=True, slots=True)
class Agent:
    """`silent_since`: when it turned offline, None while it is online. `is_due`: an alert of it is due and not told."""

    id: str
    hostname: str
    client_id: str
    site_id: str | None
    silent_since: datetime | None = None
    is_due: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """Whoever turned offline in it belongs to one mass silence; both ends are in it."""

    since: datetime
    until: datetime

    def holds(self, agent: Agent) -> bool:
        return agent.silent_since is not None and self.since <= agent.silent_since <= self.until


@dataclass(frozen=True)
class Mass:
    """Most of a scope that went silent at once: `silent` of the `agents` that were there."""

    span: Span
    silent: Sequence[Agent]
    agents: int


@dataclass(frozen=True)
class Decision:
    """`extended` are mass silences that go on over more time than before. `alone`: whose silence is told by itself."""

    raised: Mapping[Scope, Mass] = field(default_factory=dict)
    extended: Mapping[Scope, Span] = field(default_factory=dict)
    cleared: tuple[Scope, ...] = ()
    alone: tuple[Agent, ...] = ()


def decide(agents: Sequence[Agent], active: Mapping[Scope, Span]) -> Decision:
    """What is to be told now. `agents` are all of a workspace whose silence matters, `active` the mass silences that
    are raised."""
    members = _by_scope(agents)
    staying = {scope: span for scope, span in active.items() if _goes_on(members.get(scope, ()), span)}
    due = [each for each in agents if each.is_due and not _is_under(each, staying)]
    raised: dict[Scope, Mass] = {}
    extended: dict[Scope, Span] = {}
    due_by_scope = _by_scope(due)
    for scope in sorted(due_by_scope, key=_depth):
        if any(_has_wider(scope, each) for each in (staying, raised, extended)):
            continue
        mass = _mass(members[scope], due_by_scope[scope])
        if mass is None:
            continue
        if scope in active:
            extended[scope] = _joined(mass.span, staying.get(scope))
        else:
            raised[scope] = _absorbing(scope, mass, staying)
    standing = {scope: span for scope, span in {**staying, **extended}.items() if not _has_wider(scope, raised)}
    told_together = {**standing, **{scope: mass.span for scope, mass in raised.items()}}
    return Decision(
        raised=raised,
        extended={scope: span for scope, span in extended.items() if scope in standing},
        cleared=tuple(scope for scope in active if scope not in standing),
        alone=tuple(each for each in due if not _is_under(each, told_together)),
    )


def scopes_of(agent: Agent) -> tuple[Scope, ...]:
    """The scopes that an agent is in, the widest first."""
    client: Scope = (agent.client_id, None)
    return (WORKSPACE, client, (agent.client_id, agent.site_id)) if agent.site_id else (WORKSPACE, client)


def _by_scope(agents: Sequence[Agent]) -> dict[Scope, list[Agent]]:
    found: dict[Scope, list[Agent]] = defaultdict(list)
    for agent in agents:
        for scope in scopes_of(agent):
            found[scope].append(agent)
    return found


def _depth(scope: Scope) -> int:
    return sum(each is not None for each in scope)


def _wider(scope: Scope) -> Iterator[Scope]:
    client_id, site_id = scope
    if client_id is not None:
        yield WORKSPACE
    if site_id is not None:
        yield (client_id, None)


def _has_wider(scope: Scope, scopes: Mapping[Scope, object]) -> bool:
    return any(each in scopes for each in _wider(scope))


def _is_under(agent: Agent, spans: Mapping[Scope, Span]) -> bool:
    return any(scope in spans and spans[scope].holds(agent) for scope in scopes_of(agent))


def _goes_on(members: Sequence[Agent], span: Span) -> bool:
    silent = sum(span.holds(each) for each in members)
    return silent > 0 and silent * 100 >= CLEARED_BELOW_PERCENT * _there(members, span)


def _there(members: Sequence[Agent], span: Span) -> int:
    """How many could have gone silent then."""
    return sum(each.silent_since is None or each.silent_since >= span.since for each in members)


def _mass(members: Sequence[Agent], due: Sequence[Agent]) -> Mass | None:
    latest = max(each.silent_since for each in due if each.silent_since is not None)
    span = Span(latest - AT_ONCE, latest + AT_ONCE)
    silent, there = [each for each in members if span.holds(each)], _there(members, span)
    if len(silent) < FEWEST or len(silent) * 100 < RAISED_FROM_PERCENT * there:
        return None
    return Mass(span, silent, there)


def _joined(span: Span, other: Span | None) -> Span:
    return Span(min(span.since, other.since), max(span.until, other.until)) if other else span


def _absorbing(scope: Scope, mass: Mass, staying: Mapping[Scope, Span]) -> Mass:
    """The mass silence with those of narrower scopes that end in it, so that what is held back stays so."""
    span = mass.span
    for narrower, other in staying.items():
        if scope in _wider(narrower):
            span = _joined(span, other)
    return Mass(span, mass.silent, mass.agents)
