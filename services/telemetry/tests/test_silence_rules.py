"""Whose silence is told by itself, and whose together."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from services.telemetry.detection.silence_rules import (
    WORKSPACE,
    Agent,
    Decision,
    Scope,
    Span,
    decide,
    scopes_of,
)
from services.telemetry.tests.fleet import NOW

DELAY = timedelta(minutes=1)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def agents(count: int, client: str = "c", site: str | None = None, silent: float | None = None) -> list[Agent]:
    """So many agents; `silent`: they turned offline then (in minutes), and their alerts are due."""
    since = None if silent is None else at(silent)
    return [
        Agent(f"{client}/{site}/{silent}/{place}", f"host-{place}", client, site, since, silent is not None)
        for place in range(count)
    ]


def spans(decision: Decision) -> dict[Scope, Span]:
    return {scope: mass.span for scope, mass in decision.raised.items()}


def raised(*groups: list[Agent]) -> dict[Scope, tuple[int, int]]:
    """The mass silences that are raised: how many of how many."""
    decision = decide([agent for group in groups for agent in group], {})
    return {scope: (len(mass.silent), mass.agents) for scope, mass in decision.raised.items()}


def test_where_all_is_well_nothing_is_told() -> None:
    assert decide(agents(50), {}) == Decision()
    assert decide([], {}) == Decision()


def test_one_that_is_silent_is_told_alone_when_it_is_due() -> None:
    [silent] = agents(1, silent=0)
    assert decide([*agents(9), replace(silent, is_due=False)], {}) == Decision()
    assert decide([*agents(9), silent], {}) == Decision(alone=(silent,))


@pytest.mark.parametrize(
    ("silent", "online", "is_mass"), [(37, 3, True), (5, 5, True), (5, 6, False), (4, 1, False), (5, 1, True)]
)
def test_most_of_a_site_at_once_is_one(silent: int, online: int, is_mass: bool) -> None:
    site = [*agents(silent, site="s", silent=0), *agents(online, site="s")]
    there = [*site, *agents(100), *agents(200, "other")]
    decision = decide(there, {})
    assert {scope: (len(mass.silent), mass.agents) for scope, mass in decision.raised.items()} == (
        {("c", "s"): (silent, silent + online)} if is_mass else {}
    )
    assert len(decision.alone) == (0 if is_mass else silent)


def test_the_widest_scope_that_went_silent_is_told() -> None:
    elsewhere = agents(100, "other")
    one, two, three = (agents(8, site=site, silent=0) for site in ("s1", "s2", "s3"))
    online = agents(10, site="s4")
    assert raised(one, online, elsewhere) == {("c", "s1"): (8, 8)}
    assert raised(one, two, three, online, elsewhere) == {("c", None): (24, 34)}
    assert raised(one, two, three, online) == {WORKSPACE: (24, 34)}


def test_clients_and_sites_that_went_silent_are_told_one_by_one() -> None:
    there = [agents(6, "a", "a1", silent=0), agents(6, "b", "b1", silent=0), agents(20, "b", "b2"), agents(20, "z")]
    assert raised(*there) == {("a", None): (6, 6), ("b", "b1"): (6, 6)}


def test_a_site_is_one_of_its_client_only() -> None:
    there = [agents(4, "a", "s", silent=0), agents(4, "b", "s", silent=0), agents(50, "a"), agents(50, "b")]
    assert raised(*there) == {}


def test_what_turned_offline_over_hours_was_not_at_once() -> None:
    slowly = [agents(1, site="s", silent=-16 * place) for place in range(20)]
    assert raised(*slowly) == {}
    quickly = [agents(1, site="s", silent=-2 * place) for place in range(20)]
    # Those of the last quarter of an hour.
    assert raised(*quickly)[WORKSPACE][0] == 8


def test_what_was_silent_long_before_has_no_part_in_it() -> None:
    dead = [replace(each, is_due=False) for each in agents(60, site="s", silent=-1000)]
    assert raised(dead, agents(6, site="s", silent=0), agents(3, site="s"), agents(80, "z")) == {("c", None): (6, 9)}


def test_it_is_told_when_the_first_of_them_is_due() -> None:
    waiting = [replace(each, is_due=False) for each in agents(9, silent=0)]
    assert decide([*waiting, *agents(1)], {}) == Decision()
    first, *others = waiting
    decision = decide([replace(first, is_due=True), *others, *agents(1)], {})
    assert {scope: (len(mass.silent), mass.agents) for scope, mass in decision.raised.items()} == {WORKSPACE: (9, 10)}
    assert decision.alone == ()


def test_those_under_it_are_held_back_while_it_goes_on() -> None:
    silent = agents(10, silent=0)
    active = spans(decide([*silent, *agents(5)], {}))
    assert decide([*silent, *agents(5)], active) == Decision()
    # 3 of 15 are 20 %.
    assert decide([*silent[:3], *agents(12)], active) == Decision()
    left = silent[:2]
    assert decide([*left, *agents(13)], active) == Decision(cleared=(WORKSPACE,), alone=tuple(left))


def test_one_that_turns_offline_later_is_told_alone() -> None:
    silent, later = agents(10, silent=0), agents(1, silent=16)
    active = spans(decide([*silent, *agents(5)], {}))
    assert decide([*silent, *later, *agents(4)], active) == Decision(alone=tuple(later))
    soon = agents(1, silent=14)
    assert decide([*silent, *soon, *agents(4)], active) == Decision()


def test_a_second_wave_is_part_of_the_first() -> None:
    """Those with a policy of more patience turn offline half an hour later."""
    first, second = agents(10, silent=0), agents(20, silent=30)
    active = spans(decide([*first, *agents(8)], {}))
    decision = decide([*first, *second, *agents(3)], active)
    assert (decision.raised, decision.cleared, decision.alone) == ({}, (), ())
    assert decision.extended == {WORKSPACE: Span(at(-15), at(45))}
    assert decide([*first, *second, *agents(3)], decision.extended) == Decision()


def test_a_wider_one_takes_the_place_of_narrower_ones() -> None:
    site = agents(8, site="s1", silent=0)
    others, elsewhere = agents(10, site="s2"), agents(60, "z")
    active = spans(decide([*site, *others, *elsewhere], {}))
    assert set(active) == {("c", "s1")}
    widening = [replace(each, silent_since=at(20), is_due=True) for each in others]
    decision = decide([*site, *widening, *elsewhere], active)
    assert (set(decision.raised), decision.cleared, decision.alone) == ({("c", None)}, (("c", "s1"),), ())
    assert decide([*site, *widening, *elsewhere], spans(decision)) == Decision()


def test_a_scope_without_agents_is_over() -> None:
    assert decide([], {("c", "s"): Span(at(0), at(1))}) == Decision(cleared=(("c", "s"),))


# Client, site, and how many agents there are.
SITES = (("a", "x", 7), ("a", "y", 6), ("a", "z", 3), ("b", "x", 9), ("c", "x", 5), ("c", "y", 12))
sites = st.sets(st.sampled_from([client + site for client, site, _ in SITES]), min_size=1)
pauses = st.sampled_from([(), (1,), (5,), (61,), (5, 70), (61, 900), (1000,), (4000,)])


class Histories(RuleBasedStateMachine):
    """Agents that go and come back, and sweeps, at any time and in any order; what was told is kept as the database
    keeps it."""

    @initialize()
    def begin(self) -> None:
        self.now = NOW
        self.online = {
            f"{client}{site}{place}": Agent(f"{client}{site}{place}", "host", client, site)
            for client, site, count in SITES
            for place in range(count)
        }
        self.silent: dict[str, Agent] = {}
        self.told: set[str] = set()
        self.active: dict[Scope, Span] = {}

    @rule(pauses=pauses)
    def wait(self, pauses: tuple[int, ...]) -> None:
        """Sweep after each pause."""
        for seconds in pauses:
            self.now += timedelta(seconds=seconds)
            self.sweep()

    @rule(sites=sites, leaving=st.integers(0, 2), pauses=pauses)
    def go(self, sites: set[str], leaving: int, pauses: tuple[int, ...]) -> None:
        """All of some sites but so many of each."""
        for site in sorted(sites):
            for agent_id in [each for each in self.online if each.startswith(site)][leaving:]:
                self.silent[agent_id] = replace(self.online.pop(agent_id), silent_since=self.now)
        self.wait(pauses)

    @rule(sites=sites, leaving=st.integers(0, 2), pauses=pauses)
    def come_back(self, sites: set[str], leaving: int, pauses: tuple[int, ...]) -> None:
        for site in sorted(sites):
            for agent_id in [each for each in self.silent if each.startswith(site)][leaving:]:
                self.online[agent_id] = replace(self.silent.pop(agent_id), silent_since=None)
                self.told.discard(agent_id)
        self.wait(pauses)

    @rule()
    def sweep(self) -> None:
        decision = decide(list(self._agents()), dict(self.active))
        for scope in decision.cleared:
            del self.active[scope]
        for scope, span in decision.extended.items():
            assert scope in self.active
            self.active[scope] = span
        for scope, mass in decision.raised.items():
            assert scope not in self.active, "there is one already"
            assert scope not in decision.cleared, "it would be told to be over at the same instant"
            assert len(mass.silent) >= 5
            assert 2 * len(mass.silent) >= mass.agents
            self.active[scope] = mass.span
        for agent in decision.alone:
            assert agent.id not in self.told
            assert not any(scope in self.active and self.active[scope].holds(agent) for scope in scopes_of(agent)), (
                "it is told together with the others"
            )
            self.told.add(agent.id)
        assert decide(list(self._agents()), dict(self.active)) == Decision(), "a second look changes nothing"
        for agent in self._agents():
            is_under = any(scope in self.active and self.active[scope].holds(agent) for scope in scopes_of(agent))
            assert not agent.is_due or is_under, "nobody is forgotten"

    @rule()
    def all_come_back(self) -> None:
        self.come_back({client + site for client, site, _ in SITES}, 0, (5,))
        assert self.active == {}
        assert self.told == set()

    @invariant()
    def no_scope_is_told_of_within_another(self) -> None:
        for client_id, site_id in getattr(self, "active", {}):
            assert client_id is None or WORKSPACE not in self.active
            assert site_id is None or (client_id, None) not in self.active

    def _agents(self) -> Iterator[Agent]:
        yield from self.online.values()
        for agent in self.silent.values():
            assert agent.silent_since is not None
            yield replace(agent, is_due=agent.id not in self.told and self.now >= agent.silent_since + DELAY)


def test_whatever_happens_each_silence_is_told_once() -> None:
    run_state_machine_as_test(Histories, settings=settings(max_examples=150, stateful_step_count=30, deadline=None))


def test_the_order_of_the_agents_does_not_matter() -> None:
    there = [*agents(8, site="s1", silent=0), *agents(3, site="s2", silent=2), *agents(9, "z")]
    assert spans(decide(there, {})) == spans(decide(list(reversed(there)), {})) != {}
