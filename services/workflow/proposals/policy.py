"""Whose proposals are done without anybody's decision."""

from collections.abc import Iterable


def applies_at_once(agent: str, reasoner: str, allowed: Iterable[str]) -> bool:
    """`allowed`: names of reasoners, `triage.classify`, or of all of an agent, `triage.*`."""
    return not {f"{agent}.{reasoner}", f"{agent}.*"}.isdisjoint(allowed)
